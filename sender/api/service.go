package api

import (
	"context"

	"github.com/videocloud/webhooks/sender"
)

// Service does the work of the API; *[sender.Sender] is one. Each method acts for one account and sees nothing of any other. A
// refusal is an *[sender.Error]; any other error is answered with 503, without its text.
type Service interface {
	// Installation returns the name that deliveries of this installation carry.
	Installation(ctx context.Context) (string, error)

	CreateWebhook(ctx context.Context, account string, in sender.NewWebhook) (w sender.Webhook, secret string, err error)
	ListWebhooks(ctx context.Context, account, cursor string, limit int) (items []sender.Webhook, next string, err error)
	Webhook(ctx context.Context, account, id string) (sender.Webhook, error)
	UpdateWebhook(ctx context.Context, account, id string, u sender.WebhookUpdate) (sender.Webhook, error)
	DeleteWebhook(ctx context.Context, account, id string) error
	// SendExample sends the example of an event type to one webhook; a test event where event is "".
	SendExample(ctx context.Context, account, id, event string) (sender.Published, error)

	// TestFilter reports whether an event would pass a filter. problem is why the filter fails on the event: then it would.
	TestFilter(filter string, e sender.Event) (matches bool, problem string, err error)

	Publish(ctx context.Context, account string, e sender.Event) (sender.Published, error)
	PublishBatch(ctx context.Context, account string, events []sender.Event) []sender.PublishResult
	Events(ctx context.Context, account string, f sender.EventFilter) (items []sender.EventSummary, next string, err error)
	Event(ctx context.Context, account, id string) (sender.EventRecord, error)
	DeleteEvent(ctx context.Context, account, id string) error
	EventTypes(ctx context.Context) ([]sender.EventType, error)
	PutEventType(ctx context.Context, name string, u sender.EventTypeUpdate) (sender.EventType, error)
	DeleteEventType(ctx context.Context, name string) error

	Deliveries(ctx context.Context, account, webhookID string, f sender.DeliveryFilter) (items []sender.Delivery, next string, err error)
	AccountDeliveries(ctx context.Context, account string, f sender.DeliveryFilter) (items []sender.Delivery, next string, err error)
	Delivery(ctx context.Context, account, id string) (sender.Delivery, error)
	RetryDelivery(ctx context.Context, account, id string) (sender.Delivery, error)

	// Stats returns the figures of all accounts where account is *.
	Stats(ctx context.Context, account string, w sender.Window) (sender.Stats, error)
	WebhookStats(ctx context.Context, account, id string, w sender.Window) (sender.Stats, error)

	CreateKey(ctx context.Context, in sender.NewKey) (k sender.Key, value string, err error)
	// FindKey returns the key with a value. The API asks at least once a second for each key in use.
	FindKey(ctx context.Context, value string) (sender.Key, error)
	// ListKeys and DeleteKey act for every account where account is *.
	ListKeys(ctx context.Context, account, cursor string, limit int) (items []sender.Key, next string, err error)
	DeleteKey(ctx context.Context, account, id string) error

	Account(ctx context.Context, account string) (sender.Account, error)
	UpdateAccount(ctx context.Context, account string, u sender.AccountUpdate) (a sender.Account, secret string, err error)
	// ConfirmEmail performs the action of a link in a mail.
	ConfirmEmail(ctx context.Context, token string) (sender.Confirmation, error)
	// Accounts lists every account that has stored anything.
	Accounts(ctx context.Context, cursor string, limit int) (items []sender.Account, next string, err error)
	// DeleteAccount deletes everything that an account has. ending reports that the rest is deleted in the background.
	DeleteAccount(ctx context.Context, account string) (ending bool, err error)

	StartReplay(ctx context.Context, account, webhookID string, r sender.ReplayRequest) (sender.Replay, error)
	RetryWebhook(ctx context.Context, account, webhookID string, r sender.ReplayRequest) (sender.Replay, error)
	Replay(ctx context.Context, account, id string) (sender.Replay, error)
	ListReplays(ctx context.Context, account, cursor string, limit int) (items []sender.Replay, next string, err error)
	CancelReplay(ctx context.Context, account, id string) (sender.Replay, error)
}
