package sender

import (
	"context"
	"sync"
	"time"
)

// turnAtMost is how long a step holds its turn: a store that hangs holds up who asks it, and nobody else for longer.
const turnAtMost = 250 * time.Millisecond

// turns are what the scans of a process take. One step is under way at a time, and of each account one waits for its turn: an account with many readers
// holds those of another up for a step of its own, and not for all of them. The zero value is not ready, see newTurns.
type turns struct {
	next chan struct{} // holds one value while somebody has the turn

	mu       sync.Mutex
	accounts map[string]*queueing // those that have or want a turn
}

type queueing struct {
	first chan struct{} // holds one value while one of the account's has the turn, or is the one that waits for it
	users int
}

func newTurns() *turns {
	return &turns{next: make(chan struct{}, 1), accounts: map[string]*queueing{}}
}

// take waits for the turn of an account. What it returns ends the turn; it is called once.
func (t *turns) take(ctx context.Context, account string) (end func(), err error) {
	t.mu.Lock()
	q := t.accounts[account]
	if q == nil {
		q = &queueing{first: make(chan struct{}, 1)}
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
	case q.first <- struct{}{}:
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
	select {
	case t.next <- struct{}{}:
	case <-ctx.Done():
		<-q.first
		leave()
		return nil, ctx.Err()
	}
	return func() {
		<-t.next
		<-q.first
		leave()
	}, nil
}

// inTurns makes the steps of a scan of an account's, until step says that there is no more. After each step the next of any scan waits for as long as it
// took: however many read, the store is free for others half of the time.
func (s *Sender) inTurns(ctx context.Context, account string, step func() (more bool, err error)) error {
	for more := true; more; {
		end, err := s.turns.take(ctx, account)
		if err != nil {
			return &Error{Code: CodeUnavailable, Message: "this was given up before its turn to read came; try again", Err: err} // no failure of the store's
		}
		began, ends := time.Now(), time.AfterFunc(turnAtMost, end)
		more, err = step()
		if ends.Stop() {
			ends.Reset(min(time.Since(began), turnAtMost))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
