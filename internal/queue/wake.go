package queue

import (
	"context"
	"time"
)

// Wake makes the dispatcher look at a shard at once.
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

// listen passes on the pushes of other processes.
func (d *Dispatcher) listen(ctx context.Context) {
	channels := make([]string, len(d.shards))
	byName := make(map[string]int, len(d.shards))
	for i := range d.shards {
		channels[i] = d.o.Queue.Key(i, KeyWake)
		byName[channels[i]] = i
	}
	// Subscribed anew, something may have been missed.
	d.o.Store.SubscribeChannels(ctx, healthCheck, d.wakeAll, func(channel string, by []byte) {
		if string(by) != d.id {
			d.Wake(byName[channel])
		}
	}, channels...)
}

// applyWakeups turns wake-ups into due shards.
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

// wakeOthersInterval bounds how often other processes are woken for one shard.
const wakeOthersInterval = 100 * time.Millisecond

// wakeOthersLater has the other processes look at a shard of which this one leaves due jobs. They may sleep: nobody told them of
// jobs that came back, or that this process has no room for.
func (d *Dispatcher) wakeOthersLater(shard int, now time.Time) {
	if now.Sub(d.lastWoken[shard]) >= wakeOthersInterval {
		d.lastWoken[shard] = now
		d.shardsToWake = append(d.shardsToWake, shard)
	}
}

// wakeOthers sends what wakeOthersLater gathered. It may be lost: the others' polls are behind it.
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
