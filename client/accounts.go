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
	NotifyEmail []NotifyEmail `json:"notifyEmail,omitempty"` // addresses that get mail about failed webhooks
	NotifyURL   string        `json:"notifyUrl,omitempty"`   // an address that gets signed requests about them
	CreatedAt   time.Time     `json:"createdAt"`

	// NotifySecret is set by [Accounts.Update] only, and only if the API made it. Keep it, because the API never shows it again.
	NotifySecret string `json:"notifySecret,omitempty"`
}

// NotifyEmail is a mail address of an account's owner. It gets no mail until it is confirmed.
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

// Accounts reads and changes accounts: the client's own or, with a key of every account, all of them. Get it from [Client.Accounts].
type Accounts struct{ c *Client }

// Get returns the client's own account.
func (a *Accounts) Get(ctx context.Context) (Account, error) {
	return get[Account](ctx, a.c, nil, "account")
}

// Update changes the client's own account. It is not retried where the API may make a secret, which only one answer contains.
func (a *Accounts) Update(ctx context.Context, u AccountUpdate) (Account, error) {
	repeat := u.NotifyURL == nil || *u.NotifyURL == "" || u.NotifySecret != nil
	return call[Account](ctx, a.c, request{method: "PUT", path: []string{"account"}, in: u, repeat: repeat})
}

// Confirm does what the link in a mail does. token is the end of that link: that of the first mail to an address confirms the address,
// and that of a later mail removes it. The answer says which of the two it was.
func (a *Accounts) Confirm(ctx context.Context, token string) (NotifyEmail, error) {
	return post[NotifyEmail](ctx, a.c, map[string]string{"token": token}, "account", "confirm")
}

// List returns one page of all accounts, by name.
func (a *Accounts) List(ctx context.Context, o ListOptions) (Page[Account], error) {
	return get[Page[Account]](ctx, a.c, o.query(), "accounts")
}

// Delete deletes an account with all its webhooks, events and keys. Its name can be used again. It needs a key of every account.
func (a *Accounts) Delete(ctx context.Context, account string) error {
	return remove(ctx, a.c, "accounts", account)
}

// All yields every account, by name.
func (a *Accounts) All(ctx context.Context) iter.Seq2[Account, error] {
	return allPages(ctx, a.List)
}
