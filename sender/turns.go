package sender

import (
	"context"
	"sync"
	"time"
)

// maxScanStep is how long a step of a scan keeps its slot: a store that hangs delays the scan that asks it, and others for no
// longer than this.
const maxScanStep = 250 * time.Millisecond

// scanQueue orders the scans of a process. One step runs at a time, and of each account one step waits for it: an account with
// many readers delays those of another account by one step, and not by all of its own. The zero value can't be used, see
// newScanQueue.
type scanQueue struct {
	slot chan struct{} // holds one value while a step runs

	mu       sync.Mutex
	accounts map[string]*accountScans // those that have a step running or waiting
}

type accountScans struct {
	slot  chan struct{} // holds one value while a step of the account runs, or is the one that waits
	users int
}

func newScanQueue() *scanQueue {
	return &scanQueue{slot: make(chan struct{}, 1), accounts: map[string]*accountScans{}}
}

// acquire waits until a step of an account may run. The caller must call release once, when the step has ended.
func (t *scanQueue) acquire(ctx context.Context, account string) (release func(), err error) {
	t.mu.Lock()
	q := t.accounts[account]
	if q == nil {
		q = &accountScans{slot: make(chan struct{}, 1)}
		t.accounts[account] = q
	}
	q.users++
	t.mu.Unlock()
	leave := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if q.users--; q.users == 0 {
			delete(t.accounts, account)
		}
	}
	select {
	case q.slot <- struct{}{}:
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
	select {
	case t.slot <- struct{}{}:
	case <-ctx.Done():
		<-q.slot
		leave()
		return nil, ctx.Err()
	}
	return func() {
		<-t.slot
		<-q.slot
		leave()
	}, nil
}

// scanInSteps runs the steps of a scan of an account, until step says that there are no more. After each step the next one of any
// scan waits for as long as the step took: however many read, the store is free for others half of the time.
func (s *Sender) scanInSteps(ctx context.Context, account string, step func() (more bool, err error)) error {
	for more := true; more; {
		release, err := s.scans.acquire(ctx, account)
		if err != nil {
			return &Error{Code: CodeUnavailable, Message: "this was given up before its turn to read came; try again", Err: err} // not a failure of the store
		}
		began, timer := time.Now(), time.AfterFunc(maxScanStep, release)
		more, err = step()
		if timer.Stop() {
			timer.Reset(min(time.Since(began), maxScanStep))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
