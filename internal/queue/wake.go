package queue

import (
	"context"
	"time"
)

// Wake makes the dispatcher claim from a shard at once. Any goroutine may call it; it does not block.
func (d *Dispatcher) Wake(shard int) {
	d.woken.Store(shard, struct{}{})
	d.signal()
}

func (d *Dispatcher) wakeAll() {
	d.allWoken.Store(true)
	d.signal()
}

func (d *Dispatcher) signal() {
	select {
	case d.wakeup <- struct{}{}:
	default:
	}
}

// listen wakes the dispatcher for what other processes push, until ctx ends.
func (d *Dispatcher) listen(ctx context.Context) {
	channels := make([]string, len(d.shards))
	byName := make(map[string]int, len(d.shards))
	for i := range d.shards {
		channels[i] = d.o.Queue.Key(i, KeyWake)
		byName[channels[i]] = i
	}
	// Whatever was published while there was no subscription is lost, so each new one wakes all shards.
	d.o.Store.SubscribeChannels(ctx, healthCheck, d.wakeAll, func(channel string, by []byte) {
		if string(by) != d.id {
			d.Wake(byName[channel])
		}
	}, channels...)
}

// applyWakeups makes the shards due that were woken since the last round.
func (d *Dispatcher) applyWakeups() {
	if d.allWoken.Swap(false) {
		for i := range d.shards {
			d.shards[i].reset()
		}
	}
	d.woken.Range(func(shard, _ any) bool {
		d.woken.Delete(shard)
		if i := shard.(int); i < len(d.shards) {
			d.shards[i].reset()
		}
		return true
	})
}

// wakeOthersInterval is the shortest time between two wake-ups of other processes for one shard.
const wakeOthersInterval = 100 * time.Millisecond

// wakeOthersLater has other processes woken, after this round, for a shard in which this one leaves due jobs. They may be asleep: nobody
// told them of jobs that came back, or for which this process has no free slot.
func (d *Dispatcher) wakeOthersLater(shard int, now time.Time) {
	if now.Sub(d.lastWoken[shard]) >= wakeOthersInterval {
		d.lastWoken[shard] = now
		d.shardsToWake = append(d.shardsToWake, shard)
	}
}

// wakeOthers sends the wake-ups that wakeOthersLater gathered. One that is lost costs time only, as the others poll.
func (d *Dispatcher) wakeOthers() {
	if len(d.shardsToWake) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), d.o.Store.Timeout())
	defer cancel()
	pipe := d.o.Store.Client().Pipeline()
	for _, shard := range d.shardsToWake {
		pipe.Publish(ctx, d.o.Queue.Key(shard, KeyWake), d.id)
	}
	_, _ = pipe.Exec(ctx)
	d.shardsToWake = d.shardsToWake[:0]
}
