package api

import (
	"time"

	"github.com/videocloud/webhooks/sender"
)

// account is an account in answers.
type account struct {
	Account     string               `json:"account"`
	Name        string               `json:"name,omitempty"`
	NotifyEmail []sender.NotifyEmail `json:"notifyEmail,omitempty" doc:"Where its owner is told of failed webhooks. Only confirmed addresses get mail."`
	NotifyURL   string               `json:"notifyUrl,omitempty" format:"uri" doc:"Where its owner is told of failed webhooks, signed."`
	CreatedAt   seconds              `json:"createdAt" doc:"When it stored its first thing. Until then, now."`
}

// changedAccount is the answer to PUT /account.
type changedAccount struct {
	account
	NotifySecret string `json:"notifySecret,omitempty" doc:"The secret that was made, where none was given. Keep it: it is not shown again."`
}

type accountPage struct{ page[account] }

// accountUpdate is the body of PUT /account. The object that GET answers can be sent as it is, so it has members that change
// nothing.
type accountUpdate struct {
	Name         *string    `json:"name" null:"clear" max:"MaxAccountName" doc:"What its owner calls it."`
	NotifyEmail  *emailList `json:"notifyEmail" null:"clear" max:"MaxNotifyEmails" doc:"All addresses of its owner, in place of those before. One that was confirmed stays so."`
	NotifyURL    *string    `json:"notifyUrl" null:"clear" format:"uri" max:"MaxURL" doc:"Gets the notices too: https, a public host, no user info."`
	NotifySecret *string    `json:"notifySecret" null:"no" min:"MinSecretSize" max:"MaxSecretSize" doc:"Signs what goes to notifyUrl, 16 to 256 bytes. Where notifyUrl has none, one is made and shown in the answer."`
	Account      *string    `json:"account" read_only:"true" doc:"Its own name; another is refused."`
	CreatedAt    *time.Time `json:"createdAt" read_only:"true" doc:"Changes nothing."`
}

// emailList is a list of addresses, each as text or as the object in which GET answers it.
type emailList []string

func accountOf(a sender.Account) account {
	return account{Account: a.Account, Name: a.Name, NotifyEmail: a.Emails, NotifyURL: a.NotifyURL, CreatedAt: seconds(a.CreatedAt)}
}

func (c *call) getAccount() (account, error) {
	return converted(accountOf)(c.Service.Account(c.r.Context(), c.account))
}

func (c *call) updateAccount(in accountUpdate) (answer changedAccount, err error) {
	if in.Account != nil && *in.Account != c.account {
		return answer, invalid("account", "is another one; an account keeps its name")
	}
	a, secret, err := c.Service.UpdateAccount(c.r.Context(), c.account, sender.AccountUpdate{
		Name: in.Name, Emails: (*[]string)(in.NotifyEmail), NotifyURL: in.NotifyURL, NotifySecret: in.NotifySecret,
		Portal: c.portalAddress,
	})
	if err != nil {
		return answer, err
	}
	return changedAccount{account: accountOf(a), NotifySecret: secret}, nil
}

func (c *call) listAccounts() (accountPage, error) {
	return pageOf[accountPage](accountOf)(c.Service.Accounts(c.r.Context(), c.query.cursor, c.query.limit))
}

type deletedAccount struct {
	Account string `json:"account"`
	Ending  bool   `json:"ending,omitempty" doc:"true where not all of it is gone yet: the rest goes by itself, and until then the account takes nothing."`
}

func (c *call) deleteAccount() (deletedAccount, error) {
	ending, err := c.Service.DeleteAccount(c.r.Context(), c.id)
	if err != nil {
		return deletedAccount{}, err
	}
	c.keyCache.clear() // its keys
	return deletedAccount{Account: c.id, Ending: ending}, nil
}

// confirmationToken is the body of POST /account/confirm.
type confirmationToken struct {
	Token string `json:"token" required:"true" min:"1" max:"512" doc:"What the link in the mail ends with."`
}

func (c *call) confirmEmail(in confirmationToken) (sender.Confirmation, error) {
	return c.Service.ConfirmEmail(c.r.Context(), in.Token)
}
