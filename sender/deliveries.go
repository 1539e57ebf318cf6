package sender

import (
	"context"
	"encoding/json"
	"time"

	"github.com/videocloud/webhooks/internal/queue"
)

// inspectBatch is how many deliveries one call to the store inspects.
const inspectBatch = 200

// Delivery returns a delivery of an account with its attempts, all read at one moment.
func (s *Sender) Delivery(ctx context.Context, account, id string) (Delivery, error) {
	_, lane, job, st, err := s.delivery(ctx, account, id)
	if err != nil {
		return Delivery{}, err
	}
	return s.newDelivery(lane, job, &st), nil
}

// delivery reads a delivery of an account. One of another account is not found.
func (s *Sender) delivery(ctx context.Context, account, id string) (shard int, lane, job string, st queue.Standing, err error) {
	lane, job, ok := parseDeliveryID(id)
	if !ok {
		return 0, "", "", st, errNotFound
	}
	if shard, err = s.shard(ctx, account); err != nil {
		return 0, "", "", st, err
	}
	all, err := s.queue.InspectLog(ctx, shard, lane, s.c.HistoryEntries, job)
	if err != nil {
		return 0, "", "", st, s.unavailable("read", err)
	}
	st = all[0]
	if st.Account != account || st.State == queue.StateUnknown {
		return 0, "", "", st, errNotFound
	}
	return shard, lane, job, st, nil
}

// stateNames are the names that the API has for the states of the queue.
var stateNames = map[queue.State]State{
	queue.StatePending: StatePending, queue.StateRetrying: StateRetrying, queue.StateSucceeded: StateSucceeded,
	queue.StateFailed: StateFailed, queue.StateCancelled: StateCancelled,
}

// newDelivery describes the standing of a job in the terms of the API.
func (s *Sender) newDelivery(lane, job string, st *queue.Standing) Delivery {
	d := Delivery{
		ID: deliveryID(lane, job), EventID: eventIDOf(st.EventID, job), Type: st.Type, WebhookID: webhookPrefix + lane,
		State: stateNames[st.State], CreatedAt: st.Created.UTC(), Attempts: []Attempt{}, underWay: st.Place == queue.PlaceLeased, due: st.Due,
	}
	if d.State == StateFailed {
		d.Reason = st.Reason
	}
	if !st.Next.IsZero() {
		next := st.Next.UTC()
		d.NextAttemptAt = &next
	}
	kept := time.Now().Add(-s.c.HistoryAge)
	for _, entry := range st.Log {
		var a Attempt
		if err := json.Unmarshal([]byte(entry.Text), &a); err == nil && !a.At.Before(kept) {
			d.Attempts = append(d.Attempts, a)
		}
	}
	return d
}

// inspectEntries returns the standing of the job of each index entry.
func (s *Sender) inspectEntries(ctx context.Context, shard int, lane string, entries []queue.Entry) ([]queue.Standing, error) {
	if len(entries) == 0 {
		return nil, nil
	}
	jobs := make([]string, len(entries))
	for i, e := range entries {
		jobs[i] = e.Job
	}
	standings, err := s.queue.Inspect(ctx, shard, lane, jobs...)
	if err != nil {
		return nil, s.unavailable("read", err)
	}
	return standings, nil
}

// RetryDelivery makes a delivery due now, with the attempts of its retry table counted afresh. A delivery that is being attempted
// stays as it is.
func (s *Sender) RetryDelivery(ctx context.Context, account, id string) (Delivery, error) {
	shard, lane, job, st, err := s.delivery(ctx, account, id)
	if err != nil {
		return Delivery{}, err
	}
	if st.State == queue.StateCancelled {
		return Delivery{}, &Error{Code: CodeConflict, Message: "its webhook was deleted; there is nowhere to send it"}
	}
	outcomes, err := s.queue.Resend(ctx, shard, lane, job)
	if err != nil {
		return Delivery{}, s.unavailable("retry", err)
	}
	switch outcomes[0] {
	case queue.ResentUnavailable:
		return Delivery{}, &Error{Code: CodeConflict, Message: "its payload has expired (retention_succeeded, retention_failed); publish the event again"}
	case queue.ResentBacklog:
		return Delivery{}, &Error{Code: CodeLimitReached, Message: "its webhook has max_pending deliveries waiting, or its account max_pending_account; try again when there are fewer"}
	case queue.ResentDisabled:
		return Delivery{}, errDisabled
	case queue.ResentUnknown:
		return Delivery{}, errNotFound
	}
	s.dispatcher.Wake(shard)
	return s.Delivery(ctx, account, id)
}

// errDisabled refuses to send to a webhook that is disabled, until its owner makes it active.
var errDisabled = &Error{Code: CodeConflict, Message: "its webhook is disabled and gets nothing; set its status to active first"}
