package redisstore

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Script is a Lua script whose keys all have one hash tag. It finds out which keys it needs while it runs, so it can't
// declare them: it declares the tag, which is never a key itself. That matters while a cluster moves the slot: its keys
// are then on two nodes, and a script on either would take those on the other for missing. As the declared key does not
// exist, the node that the slot leaves refuses the script before it begins (ASK) for as long as the move takes, and a
// store does not follow it to the other node.
//
// Failure policy: a move of a slot pauses its shard, and loses nothing.
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

// Run runs one script. It loads the script where Redis does not have it. While a cluster moves the slot it tries again, for
// as long as the store's timeout.
func (s *Store) Run(ctx context.Context, script *Script, key string, args ...any) (any, error) {
	call := []Call{{Script: script, Key: key, Args: args}}
	for began, try := time.Now(), 1; ; try++ {
		cmd := s.RunAll(ctx, call)[0]
		if !s.waitForMove(ctx, cmd.Err(), began, try) {
			return cmd.Result()
		}
	}
}

// RunAll runs the calls in one round trip to each node. It returns a command for each call, in their order, with a result or
// an error of its own. It does not wait while a slot is moved: see [IsSlotMoving].
func (s *Store) RunAll(ctx context.Context, calls []Call) []*redis.Cmd {
	cmds := make([]*redis.Cmd, len(calls))
	cluster, ok := s.client.(*redis.ClusterClient)
	if !ok {
		every := make([]int, len(calls))
		for i := range every {
			every[i] = i
		}
		s.runOn(ctx, s.client, calls, every, cmds)
		return cmds
	}
	// The client's own pipeline is not used: where a node refuses its first command for a while, that repeats all of
	// them, and when a claim is repeated the jobs of the first one wait until their leases end.
	byNode := map[*redis.Client][]int{}
	for i, c := range calls {
		node, err := cluster.MasterForKey(ctx, c.Key)
		if err != nil {
			cmds[i] = redis.NewCmd(ctx)
			cmds[i].SetErr(err)
			cluster.ReloadState(ctx)
			continue
		}
		byNode[node] = append(byNode[node], i)
	}
	var nodes sync.WaitGroup
	for node, places := range byNode {
		nodes.Go(func() { s.runOn(ctx, node, calls, places, cmds) })
	}
	nodes.Wait()
	return cmds
}

// runOn runs the calls at some places of the slice on one node, and sets the commands at the same places.
func (s *Store) runOn(ctx context.Context, node redis.UniversalClient, calls []Call, places []int, cmds []*redis.Cmd) {
	if len(places) == 1 {
		c := calls[places[0]]
		cmds[places[0]] = node.EvalSha(ctx, c.Script.sha, []string{c.Key}, c.Args...)
	} else {
		pipe := node.Pipeline()
		for _, i := range places {
			c := calls[i]
			cmds[i] = pipe.EvalSha(ctx, c.Script.sha, []string{c.Key}, c.Args...)
		}
		_, _ = pipe.Exec(ctx) // each command carries its own error
	}
	for _, i := range places {
		if redis.HasErrorPrefix(cmds[i].Err(), "NOSCRIPT") {
			cmds[i] = node.Eval(ctx, calls[i].Script.source, []string{calls[i].Key}, calls[i].Args...)
		}
		s.noteRefusal(ctx, cmds[i].Err())
	}
}

// master returns the node that holds key. WAIT is about one node and names no key, so the client can't route it.
func (s *Store) master(ctx context.Context, key string) (redis.UniversalClient, error) {
	if cluster, ok := s.client.(*redis.ClusterClient); ok {
		return cluster.MasterForKey(ctx, key)
	}
	return s.client, nil
}

// waitForMove reports whether a script should be run again, because it was refused while its slot is moved and time is left.
// It waits a little before it returns true.
func (s *Store) waitForMove(ctx context.Context, err error, began time.Time, try int) bool {
	return IsSlotMoving(err) && time.Since(began) < s.timeout && Sleep(ctx, min(time.Duration(try)*5*time.Millisecond, 100*time.Millisecond))
}

// IsSlotMoving reports whether a cluster refused a script before it began, because its slot is being moved or the slot's
// node is not known yet. The script can be run again a little later.
func IsSlotMoving(err error) bool {
	for _, prefix := range []string{"ASK", "TRYAGAIN", "MOVED", "CLUSTERDOWN"} {
		if redis.HasErrorPrefix(err, prefix) {
			return true
		}
	}
	return false
}

// noteRefusal makes the next [Store.Ready] check again where Redis no longer accepts writes. Where a cluster's client sent a
// command to the wrong node, or to one that does not answer, it makes the client read the layout of the cluster again.
func (s *Store) noteRefusal(ctx context.Context, err error) {
	if err == nil || errors.Is(err, redis.Nil) {
		return
	}
	for _, prefix := range []string{"OOM", "READONLY", "LOADING", "MISCONF"} {
		if redis.HasErrorPrefix(err, prefix) {
			s.InvalidateCheck()
		}
	}
	var answer redis.Error
	if cluster, ok := s.client.(*redis.ClusterClient); ok && (!errors.As(err, &answer) || IsSlotMoving(err) || redis.HasErrorPrefix(err, "READONLY")) {
		cluster.ReloadState(ctx) // in the background, and at most every 200 ms
	}
}

// Sleep waits for d. It returns false, and early, where ctx ends before that.
func Sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// Retried reports whether a command of [Store.RunAll] was refused at first, as Redis did not have its script, and then run
// again. Later calls may have run before it.
func Retried(cmd *redis.Cmd) bool { return cmd.Name() == "eval" }

// ErrReplicas means that fewer replicas than configured confirmed a write. The write may be in the store all the same.
var ErrReplicas = errors.New("too few replicas have the write")

// RunDurable is [Store.Run] that succeeds only once the configured number of replicas has the write; otherwise it fails with
// [ErrReplicas].
func (s *Store) RunDurable(ctx context.Context, script *Script, key string, args ...any) (any, error) {
	return s.RunWithValues(ctx, nil, script, key, args...)
}

// Value is data that a script needs in the store and that is too large to be its argument. It is stored under a key that
// only this call uses; a script that keeps it renames the key.
type Value struct {
	Key  string        // with the script's hash tag
	Data any           // a string, or an encoding.BinaryMarshaler
	TTL  time.Duration // after which it is gone where no script has kept it
	Err  error         // why the last try to store it failed
}

// RunWithValues is [Store.RunDurable] that stores values first, on the same connection and in the same round trip. Where one
// can't be stored its Err says why, and the script runs all the same, so it has to check that the value is there. Where the
// store refuses the script the values are removed: otherwise a full Redis would be kept full by what it refused.
func (s *Store) RunWithValues(ctx context.Context, values []*Value, script *Script, key string, args ...any) (any, error) {
	if s.replicas == 0 && len(values) == 0 {
		return s.Run(ctx, script, key, args...)
	}
	for began, try, load := time.Now(), 1, false; ; try++ {
		node, err := s.master(ctx, key)
		if err != nil {
			s.noteRefusal(ctx, err)
			return nil, err
		}
		pipe := node.Pipeline() // one connection, so that WAIT covers the script and the values
		put := make([]*redis.StatusCmd, len(values))
		for i, v := range values {
			put[i] = pipe.Set(ctx, v.Key, v.Data, v.TTL)
		}
		var cmd *redis.Cmd
		if load {
			cmd = pipe.Eval(ctx, script.source, []string{key}, args...)
		} else {
			cmd = pipe.EvalSha(ctx, script.sha, []string{key}, args...)
		}
		var waited *redis.Cmd
		if s.replicas > 0 {
			waited = pipe.Do(ctx, "WAIT", s.replicas, (s.timeout / 2).Milliseconds())
		}
		_, _ = pipe.Exec(ctx)
		for i, v := range values {
			v.Err = put[i].Err()
			s.noteRefusal(ctx, v.Err)
		}
		err = cmd.Err()
		if redis.HasErrorPrefix(err, "NOSCRIPT") && !load {
			load = true
			continue
		}
		s.noteRefusal(ctx, err)
		if s.waitForMove(ctx, err, began, try) {
			continue
		}
		if err != nil {
			s.dropValues(ctx, node, values, err)
			return nil, err
		}
		if s.replicas > 0 {
			if n, err := waited.Int(); err != nil || n < s.replicas {
				return nil, errors.Join(ErrReplicas, err)
			}
		}
		return cmd.Result()
	}
}

// dropValues removes the values of a script that the store refused. Where the store did not answer, they are left to expire.
func (s *Store) dropValues(ctx context.Context, node redis.UniversalClient, values []*Value, why error) {
	if answer := redis.Error(nil); !errors.As(why, &answer) {
		return
	}
	pipe := node.Pipeline()
	for _, v := range values {
		if v.Err == nil {
			pipe.Unlink(ctx, v.Key)
		}
	}
	_, _ = pipe.Exec(ctx)
}
