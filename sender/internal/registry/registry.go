// Package registry stores what the sender has beside its queue: webhooks, accounts, API keys, event types, access tokens,
// mailboxes and replays. It knows keys, fields and scripts, and nothing of the content of a record: rules, words and answers are
// the sender's.
//
// Each file has what there is of one thing, and calls the scripts of folder lua that begin with its name. One function puts the
// arguments of a script in order, beside the others that use the same keys.
package registry

import (
	"context"
	"embed"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/videocloud/webhooks/internal/queue"
	"github.com/videocloud/webhooks/internal/redisstore"
)

// Registry is the registry of one store.
type Registry struct {
	queue *queue.Queue
	redis redis.UniversalClient
}

// New returns the registry whose keys live in the shards of a queue.
func New(store *redisstore.Store, q *queue.Queue) *Registry {
	return &Registry{queue: q, redis: store.Client()}
}

// Outcomes of a write. What to say about one is up to the caller.
var (
	ErrChanged = errors.New("somebody else's change came first")
	ErrGone    = errors.New("it is not there any more")
	ErrLimit   = errors.New("there are as many as there may be")
	ErrEnding  = errors.New("its account is being deleted")
	// errAnswer can come only from a script and a program of different versions.
	errAnswer = errors.New("a script's answer does not fit")
)

// outcomes are the errors for the words that scripts answer with.
var outcomes = map[string]error{"ok": nil, "changed": ErrChanged, "gone": ErrGone, "limit": ErrLimit, "ending": ErrEnding, "ended": ErrGone}

// write runs a script that answers with the creation time of what it wrote, in milliseconds, or with one of the words of outcomes.
func (r *Registry) write(ctx context.Context, shard int, s *redisstore.Script, args ...any) (created time.Time, err error) {
	answer, err := r.queue.RunDurable(ctx, shard, s, args...)
	if err != nil {
		return time.Time{}, err
	}
	return parseWritten(answer)
}

// parseWritten reads the answer of such a script.
func parseWritten(answer any) (created time.Time, err error) {
	if ms, ok := answer.(int64); ok {
		return time.UnixMilli(ms).UTC(), nil
	}
	word, _ := answer.(string)
	err, ok := outcomes[word]
	if !ok {
		err = errAnswer
	}
	return time.Time{}, err
}

// emptyIfNil returns an empty text for a value that does not exist.
func emptyIfNil(value string, err error) (string, error) {
	if errors.Is(err, redis.Nil) {
		return "", nil
	}
	return value, err
}

//go:embed lua/*.lua
var sources embed.FS

func script(name string) *redisstore.Script {
	b, err := sources.ReadFile("lua/" + name + ".lua")
	if err != nil {
		panic(err) // embedded: it can't be missing
	}
	return queue.Script(string(b))
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

func stringArgs(list []string) []any {
	all := make([]any, len(list))
	for i, s := range list {
		all[i] = s
	}
	return all
}
