package redisstore

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Script is a Lua script that touches the keys of one hash tag, which is its only declared key: the others are
// derived from it and share its slot.
type Script struct {
	source string
	sha    string
}

// NewScript joins the sources, in order, into one script.
func NewScript(sources ...string) *Script {
	source := strings.Join(sources, "\n")
	sum := sha1.Sum([]byte(source)) // Redis names scripts by their SHA-1
	return &Script{source: source, sha: hex.EncodeToString(sum[:])}
}

// Call is one run of a script.
type Call struct {
	Script *Script
	Key    string // the hash tag, such as "{webhooks:3}:"
	Args   []any
}

// scriptTries bounds how often a call is made again while a cluster moves its slot.
const scriptTries = 20

// Run runs one script. It loads the script where Redis lost it, and repeats it while a cluster moves the slot.
func (s *Store) Run(ctx context.Context, script *Script, key string, args ...any) (any, error) {
	cmds := s.RunAll(ctx, []Call{{Script: script, Key: key, Args: args}})
	return cmds[0].Result()
}

// RunAll runs the calls in one round trip, and answers for each by its own. It returns as many commands as calls.
func (s *Store) RunAll(ctx context.Context, calls []Call) []*redis.Cmd {
	cmds := make([]*redis.Cmd, len(calls))
	if len(calls) == 1 {
		cmds[0] = s.client.EvalSha(ctx, calls[0].Script.sha, []string{calls[0].Key}, calls[0].Args...)
	} else {
		pipe := s.client.Pipeline()
		for i, c := range calls {
			cmds[i] = pipe.EvalSha(ctx, c.Script.sha, []string{c.Key}, c.Args...)
		}
		_, _ = pipe.Exec(ctx) // each command carries its own error
	}
	for i, c := range calls {
		for try := 1; again(ctx, cmds[i].Err(), try); try++ {
			cmds[i] = s.client.Eval(ctx, c.Script.source, []string{c.Key}, c.Args...)
		}
		if err := cmds[i].Err(); err != nil && !errors.Is(err, redis.Nil) {
			s.refused(err)
		}
	}
	return cmds
}

// master returns the node that holds key: WAIT speaks for one node, so it can't be routed by the client.
func (s *Store) master(ctx context.Context, key string) (redis.UniversalClient, error) {
	if cluster, ok := s.client.(*redis.ClusterClient); ok {
		return cluster.MasterForKey(ctx, key)
	}
	return s.client, nil
}

// again reports whether a script should be run again: it was not loaded, or its slot is on the move. It waits before that.
func again(ctx context.Context, err error, try int) bool {
	switch {
	case err == nil || try >= scriptTries:
		return false
	case redis.HasErrorPrefix(err, "NOSCRIPT"):
		return true
	}
	return moving(err) && pause(ctx, time.Duration(try)*5*time.Millisecond)
}

// moving reports whether a cluster refused a script because its slot is on the move.
func moving(err error) bool {
	return redis.HasErrorPrefix(err, "TRYAGAIN") || redis.HasErrorPrefix(err, "MOVED") || redis.HasErrorPrefix(err, "ASK") || redis.HasErrorPrefix(err, "CLUSTERDOWN") ||
		strings.Contains(err.Error(), "attempted to access a non local key")
}

// refused makes the next Ready look again where Redis stopped taking writes.
func (s *Store) refused(err error) {
	if redis.HasErrorPrefix(err, "OOM") || redis.HasErrorPrefix(err, "READONLY") || redis.HasErrorPrefix(err, "LOADING") ||
		redis.HasErrorPrefix(err, "MISCONF") {
		s.Lost()
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// Again reports whether a command of [Store.RunAll] was refused at first and run again: out of the order of the calls.
func Again(cmd *redis.Cmd) bool { return cmd.Name() == "eval" }

// ErrReplicas means that a write reached fewer replicas than configured; it may be there all the same.
var ErrReplicas = errors.New("too few replicas have the write")

// RunDurable is [Store.Run] that succeeds only once the configured number of replicas has the write.
func (s *Store) RunDurable(ctx context.Context, script *Script, key string, args ...any) (any, error) {
	if s.replicas == 0 {
		return s.Run(ctx, script, key, args...)
	}
	for try := 0; ; try++ {
		node, err := s.master(ctx, key)
		if err != nil {
			return nil, err
		}
		pipe := node.Pipeline() // one connection, so that WAIT covers the script
		var cmd *redis.Cmd
		if try == 0 {
			cmd = pipe.EvalSha(ctx, script.sha, []string{key}, args...)
		} else {
			cmd = pipe.Eval(ctx, script.source, []string{key}, args...)
		}
		waited := pipe.Do(ctx, "WAIT", s.replicas, (s.timeout / 2).Milliseconds())
		_, _ = pipe.Exec(ctx)
		err = cmd.Err()
		if again(ctx, err, try+1) {
			continue
		}
		if err != nil {
			s.refused(err)
			return nil, err
		}
		if n, err := waited.Int(); err != nil || n < s.replicas {
			return nil, errors.Join(ErrReplicas, err)
		}
		return cmd.Result()
	}
}
