package queue

import "strings"

// This file spells every key and every field of a hash in Redis, once; lib.lua says what each holds, and a test compares all scripts with
// it. All keys of a shard begin with its hash tag, such as "{webhooks:3}:", so that they share a slot of a cluster.

// Key is the name of a key under a shard's tag. One that ends with a colon goes on with what the key is of.
type Key string

// Keys of the queue.
const (
	KeyReady          Key = "ready"
	KeyLane           Key = "lane:" // lane
	KeyLeases         Key = "leases"
	KeyJob            Key = "job:"   // lane and job
	KeyBody           Key = "body:"  // job
	KeyPut            Key = "put:"   // call:place
	KeyEvent          Key = "event:" // job
	KeyID             Key = "id:"    // account:ID
	KeyConf           Key = "conf:"  // lane
	KeyTopic          Key = "topic:" // topic
	KeyEvents         Key = "events:"
	KeyIndex          Key = "idx:"  // lane
	KeyOld            Key = "old:"  // lane
	KeyLate           Key = "late:" // lane
	KeyLog            Key = "log:"  // lane
	KeySpent          Key = "spent"
	KeyResent         Key = "resent"
	KeyAgain          Key = "again:"  // account
	KeyDead           Key = "dead:"   // lane
	KeyFailed         Key = "failed:" // lane
	KeyGone           Key = "gone:"   // lane
	KeyAges           Key = "ages"
	KeyNotices        Key = "notices"
	KeyOutbox         Key = "outbox"
	KeyChores         Key = "chores"
	KeyPending        Key = "pending"
	KeyStats          Key = "stats"
	KeyFigures        Key = "figures"
	KeyFiguresLane    Key = "figures:w:" // lane
	KeyFiguresAccount Key = "figures:a:" // account
	KeyFiguresAll     Key = "figures:all"
	KeySenders        Key = "senders" // in the first shard only
	KeyWake           Key = "wake"    // a channel
	KeyNothing        Key = "nothing" // is never there
)

// Keys of what the sender's owners set up: see sender/internal/registry.
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
	KeyNoClaim     Key = "-"  // stands in for a key that an event doesn't have; is never there
	KeyProbe       Key = "probe"
	KeyDelivers    Key = "delivers"
	KeyGateways    Key = "gateways"
	KeyOrder       Key = "order"
	KeyQueues      Key = "q:" // the queue of a delivery with a name: its tag is the receiver's, this and the name
)

// Keys of what all receivers on a store count, under the tag of the whole store: see received.lua in caddymodule.
const (
	KeyReceived      Key = "received:" // seconds of a part (0: all), a colon and a receiver
	KeyReceivedNames Key = "received:names"
	KeyReceivedBy    Key = "received:by:" // process
)

// Field is the name of a field of a hash.
type Field = string

// Fields that Go code reads or writes by itself.
const (
	FieldStatus      Field = "st"   // of [KeyConf], as all up to FieldLastTime
	FieldAccount     Field = "a"    // of [KeyEvent] as well
	FieldVersion     Field = "v"    // of [KeyAccount] as well
	FieldCreated     Field = "c"    // of [KeyAccount] as well
	FieldPublic      Field = "pub"  // what is shown of a webhook
	FieldMeta        Field = "meta" // what an attempt needs
	FieldInFlight    Field = "fl"
	FieldHeldUntil   Field = "hu"
	FieldFailedSince Field = "fs"
	FieldFilterFails Field = "fe"
	FieldLastOK      Field = "ls"
	FieldLastTime    Field = "lt"

	FieldKey       Field = "k" // of [KeyConf]: the idempotency key that it was registered with
	FieldMadeLane  Field = "l" // of [KeyMade]
	FieldMadeAsked Field = "q"

	FieldInfo   Field = "info" // of [KeyAccount]: what its owner set
	FieldEnding Field = "x"    // of [KeyAccount]: it is being deleted
	FieldTries  Field = "#tries"

	FieldReplayAccount     Field = "account" // of [KeyReplay], as all below
	FieldReplayState       Field = "state"
	FieldReplayCursor      Field = "cursor"
	FieldReplaySelection   Field = "selection"
	FieldReplayMatched     Field = "matched"
	FieldReplayUnavailable Field = "unavailable"
	FieldReplaySent        Field = "sent"
	FieldReplayCreated     Field = "created"
	FieldReplayNotSent     Field = "not:" // and why

	FieldJob Field = "j" // of an entry of [KeyIndex], [KeyOld], [KeyEvents] and [KeySpent]
)

// Fields are those of each hash and of each stream's entries, the ones that only scripts use among them. Where a field goes on with what
// it is of, it ends with a colon.
var Fields = map[Key][]Field{
	KeyConf: {
		FieldStatus, FieldAccount, FieldVersion, FieldCreated, FieldPublic, FieldMeta, FieldInFlight, FieldHeldUntil, FieldFailedSince, FieldFilterFails,
		FieldLastOK, FieldLastTime,
		"cap", "rate", "w", "s", "tat", "rec", "q", "hb", "sb", "ord", "nt", "nc", "nf", "nl", "ns", "fix", "lx", "xc", "rp", "bs", "k", "fr", "ha", "hj", "oc", "os", "rt", "lp",
	},
	KeyEvent:   {FieldAccount, "i", "y", "t", "g", "h", "l", "c", "s", "x:", "p", "v", "z", "o", "d"},
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

// Key returns a key of a shard.
func (q *Queue) Key(shard int, name Key, of ...string) string {
	return InTag(q.tags(shard), name, of...)
}

// InTag returns a key under a tag.
func InTag(tag string, name Key, of ...string) string {
	return tag + string(name) + strings.Join(of, "")
}
