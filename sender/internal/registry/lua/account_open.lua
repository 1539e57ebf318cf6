-- account_open: notes an account with the first thing that it stores elsewhere.
--
-- KEYS[1] the shard
-- ARGV[10] account
-- Returns "ok", or "ending" where the account is being deleted.
--
-- Safe to repeat: a second call finds it.

local account = ARGV[10]
return open_account(account) and 'ok' or 'ending'
