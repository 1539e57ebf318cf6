package queue

import "strings"

// This file spells every key in Redis, and every field of a hash, once; a test compares all scripts and all Go code with it. lib.lua says
// what each key of the queue holds, the scripts of sender/internal/registry, receiver and caddymodule say it of theirs. All keys of a shard
// begin with its hash tag, such as "{webhooks:3}:", so that they share a slot of a cluster.

// Key is the name of a key below its tag. After a colon at its end follows whatever the key belongs to, which its comment names.
type Key string

// Keys of the queue.
const (
	KeyReady          Key = "ready"
	KeyLane           Key = "lane:" // lane
	KeyLeases         Key = "leases"
	KeyJob            Key = "job:"    // lane and job
	KeyBody           Key = "body:"   // job
	KeyPut            Key = "put:"    // name of the call and place of the event, see [Beside]
	KeyEvent          Key = "event:"  // job
	KeyID             Key = "id:"     // account:ID
	KeyConf           Key = "conf:"   // lane
	KeyTopic          Key = "topic:"  // topic
	KeyEvents         Key = "events:" // account
	KeyIndex          Key = "idx:"    // lane
	KeyOld            Key = "old:"    // lane
	KeyLate           Key = "late:"   // lane
	KeyLog            Key = "log:"    // lane
	KeySpent          Key = "spent"
	KeyResent         Key = "resent"
	KeyAgain          Key = "again:"  // account
	KeyDead           Key = "dead:"   // lane
	KeyFailed         Key = "failed:" // lane
	KeyGone           Key = "gone:"   // lane
	KeyAges           Key = "ages"
	KeyNotices        Key = "notices"
	KeyOutbox         Key = "outbox"
	KeyTasks          Key = "chores" // as in the first stores: what they hold is gone on with
	KeyPending        Key = "pending"
	KeyStats          Key = "stats"
	KeyFigures        Key = "figures"
	KeyFiguresLane    Key = "figures:w:" // lane
	KeyFiguresAccount Key = "figures:a:" // account
	KeyFiguresAll     Key = "figures:all"
	KeySenders        Key = "senders" // in the first shard only
	KeyWake           Key = "wake"    // a channel
	KeyNothing        Key = "nothing" // never exists; scripts delete it, see write_when_full in lib.lua
)

// Keys of webhooks, accounts, API keys, event types, access tokens, mailboxes and replays: see sender/internal/registry.
const (
	KeyHooks           Key = "hooks:"    // account
	KeyUnhooked        Key = "unhooked:" // account
	KeyMade            Key = "made:"     // account:idempotency key
	KeyAccount         Key = "account:"  // account
	KeyAccounts        Key = "accountlist"
	KeyAPIKeys         Key = "apikeys"
	KeyAPIKeySums      Key = "apikeysums"
	KeyAPIKeysAll      Key = "apikeysall"
	KeyAPIKeysOf       Key = "apikeysof:" // account
	KeyAPIKeysBy       Key = "apikeysby:" // key
	KeyAPIKeysEnd      Key = "apikeysend"
	KeyAPIKeysUsed     Key = "apikeysused"
	KeyEventTypes      Key = "eventtypes"
	KeyEventTypesMoved Key = "eventtypesv"
	KeyToken           Key = "token:"     // lane
	KeyTokenLock       Key = "tokenlock:" // lane
	KeyMails           Key = "mails:"     // kind
	KeyMailbox         Key = "mailbox:"   // mailbox
	KeyMailed          Key = "mailed:"    // mailbox
	KeyBoxes           Key = "boxes:"     // account
	KeyThread          Key = "thread:"    // mailbox
	KeyReplay          Key = "replay:"    // replay
	KeyReplays         Key = "replays:"   // account
)

// Keys of a receiver, under its own tag or that of one of its queues.
const (
	KeyClaimID     Key = "i:" // hash of an event's ID
	KeyClaimDigest Key = "d:" // hash of a body
	KeyNoClaim     Key = "-"  // takes the place of a claim key that an event doesn't have; never exists
	KeyProbe       Key = "probe"
	KeyDelivers    Key = "delivers"
	KeyGateways    Key = "gateways"
	KeyOrder       Key = "order"
	KeyQueues      Key = "q:" // name of a delivery; the receiver's tag, q:, the name and a colon are the tag of its queue
)

// Keys of what all receivers on a store count, under the tag of the store: see received.lua in caddymodule.
const (
	KeyReceived      Key = "received:" // length of a part in seconds (0: since the first request), a colon and a receiver
	KeyReceivedNames Key = "received:names"
	KeyReceivedBy    Key = "received:by:" // process
)

// Field is the name of a field of a hash.
type Field = string

// Fields that Go code reads or writes without a script.
const (
	FieldStatus      Field = "st"   // of [KeyConf], like all fields up to FieldLastTime
	FieldAccount     Field = "a"    // of [KeyEvent] too
	FieldVersion     Field = "v"    // of [KeyAccount] too
	FieldCreated     Field = "c"    // of [KeyAccount] too
	FieldPublic      Field = "pub"  // what is shown of a webhook
	FieldMeta        Field = "meta" // the settings that an attempt needs
	FieldInFlight    Field = "fl"
	FieldHeldUntil   Field = "hu"
	FieldFailedSince Field = "fs"
	FieldFilterFails Field = "fe"
	FieldLastOK      Field = "ls"
	FieldLastTime    Field = "lt"

	FieldKey       Field = "k" // of [KeyConf]: the idempotency key of its registration
	FieldMadeLane  Field = "l" // of [KeyMade]
	FieldMadeAsked Field = "q" // of [KeyMade]

	FieldInfo   Field = "info"   // of [KeyAccount]: what its owner set
	FieldEnding Field = "x"      // of [KeyAccount]: it is being deleted
	FieldTries  Field = "#tries" // of [KeyMailbox]

	FieldReplayAccount     Field = "account" // of [KeyReplay], like all below
	FieldReplayState       Field = "state"
	FieldReplayCursor      Field = "cursor"
	FieldReplaySelection   Field = "selection"
	FieldReplayMatched     Field = "matched"
	FieldReplayUnavailable Field = "unavailable"
	FieldReplaySent        Field = "sent"
	FieldReplayCreated     Field = "created"
	FieldReplayNotSent     Field = "not:" // why deliveries were not sent

	FieldJob Field = "j" // of an entry of [KeyIndex], [KeyOld], [KeyEvents] and [KeySpent]
)

// Fields are the fields of each hash and of the entries of each stream, also those that only scripts use. A field that ends with a colon
// goes on with a name.
var Fields = map[Key][]Field{
	KeyConf: {
		FieldStatus, FieldAccount, FieldVersion, FieldCreated, FieldPublic, FieldMeta, FieldInFlight, FieldHeldUntil, FieldFailedSince, FieldFilterFails,
		FieldLastOK, FieldLastTime,
		"cap", "rate", "w", "s", "tat", "rec", "q", "hb", "sb", "ord", "nt", "nc", "nf", "nl", "ns", "fix", "lx", "xc", "rp", "bs", "k", "fr", "ha", "hj", "oc", "os", "rt", "lp",
	},
	KeyEvent:   {FieldAccount, "i", "y", "t", "h", "l", "c", "s", "x:", "p", "v", "z", "o", "d", "w"},
	KeyJob:     {"n", "x", "r", "f", "u"},
	KeyStats:   {"waiting", "subscriptions"},
	KeyFigures: {"*", "*c"},
	KeyIndex:   {FieldJob},
	KeyOld:     {FieldJob},
	KeyEvents:  {FieldJob, "y"},
	KeySpent:   {FieldJob},
	KeyOutbox:  {"k", "l", "d", "s", "n"},
	KeyMade:    {"l", "q"},
	KeyAccount: {FieldVersion, FieldInfo, FieldCreated, FieldEnding, "xp", "xc"},
	KeyMailbox: {FieldTries},
	KeyReplay: {
		FieldReplayAccount, FieldReplayState, FieldReplayCursor, FieldReplaySelection, FieldReplayMatched, FieldReplayUnavailable, FieldReplaySent,
		FieldReplayCreated, FieldReplayNotSent, "owner", "until",
	},
}

// StatusDeleted is [FieldStatus] of a lane that was deleted.
const StatusDeleted = "deleted"

// Key returns a key of a shard: its tag, name and the parts of suffix, without separators.
func (q *Queue) Key(shard int, name Key, suffix ...string) string {
	return InTag(q.tags(shard), name, suffix...)
}

// InTag is [Queue.Key] for a tag.
func InTag(tag string, name Key, suffix ...string) string {
	return tag + string(name) + strings.Join(suffix, "")
}
