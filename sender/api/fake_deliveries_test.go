package api_test

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/sender"
)

func (f *fake) PublishBatch(ctx context.Context, name string, events []sender.Event) []sender.PublishResult {
	results := make([]sender.PublishResult, len(events))
	for i, e := range events {
		results[i].Published, results[i].Err = f.Publish(ctx, name, e)
	}
	return results
}

func (f *fake) Event(_ context.Context, name, id string) (sender.EventRecord, error) {
	a, done := f.in(name)
	defer done()
	s := a.events[id]
	if s == nil || s.deleted {
		return sender.EventRecord{}, errMissing
	}
	r := sender.EventRecord{ID: id, Type: s.event.Type, Timestamp: s.event.Timestamp, Data: s.event.Data}
	for _, d := range a.deliveries {
		if d.EventID == id {
			r.Deliveries = append(r.Deliveries, *d)
		}
	}
	return r, nil
}

func (f *fake) Events(_ context.Context, name string, filter sender.EventFilter) ([]sender.EventSummary, string, error) {
	a, done := f.in(name)
	defer done()
	items := []sender.EventSummary{}
	for id, s := range a.events {
		if filter.Type == "" || filter.Type == s.event.Type {
			items = append(items, sender.EventSummary{
				ID: id, Type: s.event.Type, Timestamp: s.published.Timestamp, CreatedAt: s.published.Timestamp,
				Deliveries: map[sender.State]int{sender.StatePending: len(s.published.Deliveries)},
			})
		}
	}
	slices.SortFunc(items, func(a, b sender.EventSummary) int { return cmp.Compare(b.ID, a.ID) })
	return page(items, filter.Cursor, filter.Limit)
}

func (f *fake) EventTypes(context.Context) (list []sender.EventType, err error) {
	for _, t := range config.DefaultEventTypes() {
		list = append(list, sender.EventType{Name: t.Name, Description: t.Description, Group: t.Group})
	}
	return list, f.down
}

func (f *fake) PutEventType(_ context.Context, name string, _ sender.EventTypeUpdate) (sender.EventType, error) {
	return sender.EventType{Name: name}, f.down
}

func (f *fake) DeleteEventType(context.Context, string) error { return f.down }

func (f *fake) Deliveries(_ context.Context, name, webhook string, filter sender.DeliveryFilter) ([]sender.Delivery, string, error) {
	a, done := f.in(name)
	defer done()
	if _, err := a.webhook(webhook); err != nil {
		return nil, "", err
	}
	items := []sender.Delivery{}
	for _, d := range slices.Backward(a.deliveries) {
		if d.WebhookID == webhook && (filter.State == "" || filter.State == d.State) && !d.CreatedAt.Before(filter.Since) {
			items = append(items, *d)
		}
	}
	return page(items, filter.Cursor, filter.Limit)
}

func (f *fake) AccountDeliveries(_ context.Context, name string, filter sender.DeliveryFilter) ([]sender.Delivery, string, error) {
	a, done := f.in(name)
	defer done()
	items := []sender.Delivery{}
	for _, d := range slices.Backward(a.deliveries) {
		if (filter.WebhookID == "" || filter.WebhookID == d.WebhookID) && (filter.EventID == "" || filter.EventID == d.EventID) && (filter.State == "" || filter.State == d.State) {
			items = append(items, *d)
		}
	}
	return page(items, filter.Cursor, filter.Limit)
}

func (f *fake) Stats(_ context.Context, _ string, w sender.Window) (sender.Stats, error) {
	return sender.Stats{Window: w, BucketSeconds: 60, Buckets: []sender.StatsBucket{{}, {Succeeded: 1, P50: time.Second, P95: time.Second}}, Succeeded: 1}, nil
}

func (f *fake) WebhookStats(ctx context.Context, name, id string, w sender.Window) (sender.Stats, error) {
	if _, err := f.Webhook(ctx, name, id); err != nil {
		return sender.Stats{}, err
	}
	return f.Stats(ctx, name, w)
}

func (a *account) delivery(id string) (*sender.Delivery, error) {
	for _, d := range a.deliveries {
		if d.ID == id {
			return d, nil
		}
	}
	return nil, errMissing
}

func (f *fake) Delivery(_ context.Context, name, id string) (sender.Delivery, error) {
	a, done := f.in(name)
	defer done()
	d, err := a.delivery(id)
	if err != nil {
		return sender.Delivery{}, err
	}
	return *d, nil
}

func (f *fake) RetryDelivery(ctx context.Context, name, id string) (sender.Delivery, error) {
	return f.Delivery(ctx, name, id)
}

func (f *fake) StartReplay(_ context.Context, name, webhook string, in sender.ReplayRequest) (none sender.Replay, err error) {
	a, done := f.in(name)
	defer done()
	if _, err := a.webhook(webhook); err != nil {
		return none, err
	}
	if !in.Until.IsZero() && in.Until.Before(in.Since) {
		return none, refuse(sender.CodeInvalidField, "until", "must be after since")
	}
	if in.State != "" && in.State != "failed" && in.State != "all" {
		return none, refuse(sender.CodeInvalidField, "state", "is failed or all")
	}
	r := sender.Replay{WebhookID: webhook, State: "dry_run", CreatedAt: time.Now()}
	for _, d := range a.deliveries {
		if d.WebhookID == webhook && (in.State == "all" || d.State == sender.StateFailed) {
			r.Matched++
		}
	}
	if !in.DryRun {
		r.ID, r.State = f.id("rpl"), "running"
		a.replays[r.ID] = r
	}
	return r, nil
}

func (f *fake) Replay(_ context.Context, name, id string) (sender.Replay, error) {
	a, done := f.in(name)
	defer done()
	r, ok := a.replays[id]
	if !ok {
		return r, errMissing
	}
	return r, nil
}
