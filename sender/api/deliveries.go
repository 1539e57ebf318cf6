package api

import (
	"github.com/videocloud/webhooks/sender"
)

// delivery is a delivery in answers.
type delivery struct {
	ID            string       `json:"id"`
	EventID       string       `json:"eventId"`
	Event         string       `json:"event"`
	WebhookID     string       `json:"webhookId"`
	State         sender.State `json:"state" enum:"pending,retrying,succeeded,failed,cancelled"`
	Reason        string       `json:"reason,omitempty" doc:"Why it ended without using up its attempts: backlog, disabled, expired, gone or poison."`
	CreatedAt     millis       `json:"createdAt"`
	NextAttemptAt *millis      `json:"nextAttemptAt,omitempty" doc:"Absent once it has ended, while it is under way, and while its webhook is paused or disabled."`
	Attempts      []attempt    `json:"attempts"`
	LeftOut       bool         `json:"attemptsLeftOut,omitempty" doc:"The attempts are missing here, as the event went to many webhooks with long histories; the delivery itself has them."`
}

type attempt struct {
	Number       int    `json:"number" min:"1"`
	At           millis `json:"at"`
	DurationMS   int64  `json:"durationMs"`
	StatusCode   int    `json:"statusCode,omitempty" doc:"Absent where there was no answer."`
	Error        string `json:"error,omitempty" doc:"Why it failed."`
	ResponseBody string `json:"responseBody,omitempty" doc:"The first 1 KiB of the answer."`
}

type deliveryPage struct{ page[delivery] }

func deliveryOf(d sender.Delivery) delivery {
	return delivery{
		ID: d.ID, EventID: d.EventID, Event: d.Type, WebhookID: d.WebhookID, State: d.State, Reason: d.Reason,
		CreatedAt: millis(d.CreatedAt), NextAttemptAt: (*millis)(d.NextAttemptAt), Attempts: convertAll(d.Attempts, attemptOf),
		LeftOut: d.AttemptsLeftOut,
	}
}

func attemptOf(t sender.Attempt) attempt {
	return attempt{
		Number: t.Number, At: millis(t.At), DurationMS: t.DurationMS,
		StatusCode: t.StatusCode, Error: t.Error, ResponseBody: t.ResponseBody,
	}
}

func (c *call) listDeliveries() (deliveryPage, error) {
	return pageOf[deliveryPage](deliveryOf)(c.Service.Deliveries(c.r.Context(), c.account, c.id, c.query.deliveries()))
}

// listAccountDeliveries answers the deliveries of the account; to the token of one webhook, those of that webhook.
func (c *call) listAccountDeliveries() (deliveryPage, error) {
	f := c.query.deliveries()
	if own := c.caller.webhookID; own != "" {
		if f.WebhookID != "" && f.WebhookID != own {
			return pageOf[deliveryPage](deliveryOf)(nil, "", nil)
		}
		f.WebhookID = own
	}
	return pageOf[deliveryPage](deliveryOf)(c.Service.AccountDeliveries(c.r.Context(), c.account, f))
}

func (q *query) deliveries() sender.DeliveryFilter {
	return sender.DeliveryFilter{
		State: q.state, Event: q.event, EventID: q.eventID, WebhookID: q.webhookID, Since: q.since, Until: q.until, Limit: q.limit, Cursor: q.cursor,
	}
}

func (c *call) getDelivery() (delivery, error) {
	return converted(deliveryOf)(c.Service.Delivery(c.r.Context(), c.account, c.id))
}

func (c *call) retryDelivery() (delivery, error) {
	if err := c.noBody(); err != nil {
		return delivery{}, err
	}
	return converted(deliveryOf)(c.Service.RetryDelivery(c.r.Context(), c.account, c.id))
}
