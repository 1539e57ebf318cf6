-- account_open: makes the record of an account, where there is none yet, before something of it is stored without a script.
--
-- KEYS[1] the shard's tag
-- ARGV[10] account
-- Returns "ok", or "ending" where the account is being deleted.
--
-- Safe to repeat: a second call finds the record.

local account = ARGV[10]
return open_account(account) and 'ok' or 'ending'
