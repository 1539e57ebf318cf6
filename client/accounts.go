package client

import (
	"context"
	"encoding/json"
	"iter"
	"time"
)

// Account is what owns webhooks and events.
type Account struct {
	Account     string        `json:"account"`
	Name        string        `json:"name,omitempty"`
	NotifyEmail []NotifyEmail `json:"notifyEmail,omitempty"` // where its owner is told of failed webhooks
	NotifyURL   string        `json:"notifyUrl,omitempty"`   // the same, by signed requests
	CreatedAt   time.Time     `json:"createdAt"`

	// NotifySecret is set by [Accounts.Update] only, and only where the API made it. Keep it: it is never shown again.
	NotifySecret string `json:"notifySecret,omitempty"`
}

// NotifyEmail is an address of an account's owner. It gets mail only once it was confirmed.
type NotifyEmail struct {
	Address   string `json:"address"`
	Confirmed bool   `json:"confirmed"`
}

// AccountUpdate changes the fields that are given: pointers and slices that are not nil.
type AccountUpdate struct {
	Name         *string  `json:"name,omitempty"`
	NotifyEmail  []string `json:"notifyEmail,omitzero"` // five at most; those that were confirmed stay so
	NotifyURL    *string  `json:"notifyUrl,omitempty"`  // empty: none
	NotifySecret *string  `json:"notifySecret,omitempty"`
}

// MarshalJSON writes an empty NotifyURL as null, which clears it.
func (u AccountUpdate) MarshalJSON() ([]byte, error) {
	type plain AccountUpdate
	return json.Marshal(struct {
		plain
		NotifyURL any `json:"notifyUrl,omitempty"`
	}{plain(u), orNull(u.NotifyURL)})
}

// Accounts are what owns webhooks and events: the client's own, and for a key of every account all. Get them from
// [Client.Accounts].
type Accounts struct{ c *Client }

// Get returns the client's own account.
func (a *Accounts) Get(ctx context.Context) (Account, error) {
	return call[Account](ctx, a.c, request{method: "GET", path: "/account", repeat: true})
}

// Update changes the client's own account. It is not retried where a secret may be made, which only one answer shows.
func (a *Accounts) Update(ctx context.Context, u AccountUpdate) (Account, error) {
	repeat := u.NotifyURL == nil || *u.NotifyURL == "" || u.NotifySecret != nil
	return send[Account](ctx, a.c, request{method: "PUT", path: "/account", repeat: repeat}, u)
}

// Confirm does what the link in a mail is for, by the token that it ends with: the one in the first mail to an address
// confirms it, the one in each later mail takes it out. The answer says which.
func (a *Accounts) Confirm(ctx context.Context, token string) (NotifyEmail, error) {
	return create[NotifyEmail](ctx, a.c, "/account/confirm", struct {
		Token string `json:"token"`
	}{token})
}

// List returns one page of all accounts, by name.
func (a *Accounts) List(ctx context.Context, o ListOptions) (Page[Account], error) {
	return list[Account](ctx, a.c, "/accounts", o.query())
}

// Delete ends everything that an account has: its webhooks, events, keys and whatever else. Its name may be used afresh. It takes a key of
// every account.
func (a *Accounts) Delete(ctx context.Context, account string) error {
	return remove(ctx, a.c, "/accounts", account)
}

// All yields every account, by name.
func (a *Accounts) All(ctx context.Context) iter.Seq2[Account, error] {
	return all(func(cursor string) (Page[Account], error) {
		return a.List(ctx, ListOptions{Limit: 100, Cursor: cursor})
	}, "")
}
