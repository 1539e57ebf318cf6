package api

import (
	"slices"
	"time"

	"github.com/videocloud/webhooks/sender"
)

// newReplay is the body of POST /webhooks/{id}/replay.
type newReplay struct {
	Since  time.Time  `json:"since" required:"true" doc:"Deliveries made from then on."`
	Until  *time.Time `json:"until" doc:"Deliveries made before then. Left out, now."`
	Events []string   `json:"events" min:"1" doc:"Only these event types, groups such as video.* or * included. Left out, all."`
	State  string     `json:"state" min:"1" enum:"failed,all" doc:"Left out, failed."`
	DryRun bool       `json:"dryRun" doc:"Only count what would be sent."`
}

// replay is a replay in answers.
type replay struct {
	ID          string         `json:"id,omitempty" doc:"Absent for a dry run." example:"rpl_123456"`
	WebhookID   string         `json:"webhookId"`
	State       string         `json:"state" enum:"running,done,cancelled,dry_run"`
	Matched     int            `json:"matched" doc:"Deliveries that the request selected."`
	Unavailable int            `json:"unavailable" doc:"Of these, the ones whose payload has expired."`
	Sent        int            `json:"sent" doc:"Of these, the ones queued again so far."`
	NotSent     map[string]int `json:"notSent,omitempty" doc:"How many could not be queued when their turn came, by reason: disabled, unavailable, underWay."`
	CreatedAt   seconds        `json:"createdAt"`
}

func replayOf(r sender.Replay) replay {
	return replay{
		ID: r.ID, WebhookID: r.WebhookID, State: r.State, Matched: r.Matched,
		Unavailable: r.Unavailable, Sent: r.Sent, NotSent: r.NotSent, CreatedAt: seconds(r.CreatedAt),
	}
}

func (c *call) startReplay(in newReplay) (answer replay, err error) {
	r, err := c.Service.StartReplay(c.r.Context(), c.account, c.id, sender.ReplayRequest{
		Since: in.Since, Until: valueOf(in.Until), Events: in.Events, State: in.State, DryRun: in.DryRun,
	})
	if err != nil {
		return answer, err
	}
	if r.ID != "" {
		c.location = "/replays/" + r.ID
	}
	return replayOf(r), nil
}

func (c *call) getReplay() (answer replay, err error) {
	r, err := c.Service.Replay(c.r.Context(), c.account, c.id)
	if err != nil {
		return answer, err
	}
	if own := c.caller.webhookID; own != "" && r.WebhookID != own {
		return answer, errOtherWebhook
	}
	return replayOf(r), nil
}

// newRetry is the body of POST /webhooks/{id}/retry.
type newRetry struct {
	State string     `json:"state" required:"true" min:"1" enum:"failed" doc:"Which deliveries: the failed ones."`
	Event string     `json:"event" min:"1" max:"64" doc:"Only this event type. Left out, all."`
	Since *time.Time `json:"since" doc:"Deliveries made from then on. Left out, all that are kept."`
	Until *time.Time `json:"until" doc:"Deliveries made before then. Left out, now."`
}

type replayPage struct{ page[replay] }

func (c *call) retryWebhook(in newRetry) (answer replay, err error) {
	if in.State != string(sender.StateFailed) {
		return answer, invalid("state", "must be failed; POST /webhooks/{id}/replay sends others again")
	}
	request := sender.ReplayRequest{Since: valueOf(in.Since), Until: valueOf(in.Until), State: in.State}
	if in.Event != "" {
		request.Events = []string{in.Event}
	}
	r, err := c.Service.RetryWebhook(c.r.Context(), c.account, c.id, request)
	if err != nil {
		return answer, withFieldName(err, "events", "event")
	}
	c.location = "/replays/" + r.ID
	return replayOf(r), nil
}

func (c *call) listReplays() (replayPage, error) {
	items, next, err := c.Service.ListReplays(c.r.Context(), c.account, c.query.cursor, c.query.limit)
	if own := c.caller.webhookID; own != "" {
		items = slices.DeleteFunc(items, func(r sender.Replay) bool { return r.WebhookID != own })
	}
	return pageOf[replayPage](replayOf)(items, next, err)
}

func (c *call) cancelReplay() (replay, error) {
	if _, err := c.getReplay(); err != nil { // is it one that this caller may see?
		return replay{}, err
	}
	return converted(replayOf)(c.Service.CancelReplay(c.r.Context(), c.account, c.id))
}
