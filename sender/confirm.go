package sender

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/videocloud/webhooks/internal/names"
)

// The actions of links in mails.
const (
	linkConfirm     = "confirm"
	linkUnsubscribe = "unsubscribe"
)

// An address of an account's owner gets notices only after the link in a first mail was opened; a link in each later mail ends
// them. Each link holds a token that only this mail has. It is made with a key of the address, which is stored sealed:
//
//	token = <base64url of the account>.<base64url of HMAC-SHA256(key, action)>

// Confirmation is the result of opening a link in a mail.
type Confirmation struct {
	Address   string `json:"address"`
	Confirmed bool   `json:"confirmed" doc:"false: it gets no more mail."`
}

var errLink = &Error{Code: CodeNotFound, Message: "this link is not valid any more; have the address confirmed anew with PUT /account"}

// setMailKeys makes a key for each address that has none, and drops the keys of addresses that are gone. It returns the addresses
// that are not confirmed.
func (s *Sender) setMailKeys(r *accountRecord) (unconfirmed []string, err error) {
	keys := map[string]string{}
	for _, e := range r.Emails {
		if keys[e.Address] = r.Keys[e.Address]; keys[e.Address] == "" {
			if keys[e.Address], err = s.seal(r.account, accountLane, newSecret()); err != nil {
				return nil, err
			}
		}
		if !e.Confirmed {
			unconfirmed = append(unconfirmed, e.Address)
		}
	}
	r.Keys = keys
	return unconfirmed, nil
}

func (s *Sender) mailToken(r *accountRecord, address, action string) (string, error) {
	key, err := s.open(r.account, accountLane, r.Keys[address])
	if err != nil {
		return "", err
	}
	m := hmac.New(sha256.New, []byte(key))
	_, _ = m.Write([]byte(action))
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(r.account)) + "." + encode(m.Sum(nil)), nil
}

// mailLink returns the link of an action for an address, both empty where the URL of the portal is not known. link is for a
// browser, which does not send what follows the # to servers and their logs. oneClick is for a mail program that unsubscribes by
// itself, so what identifies the address must be in what it sends.
func (s *Sender) mailLink(r *accountRecord, address, action string) (link, oneClick string, err error) {
	portal := cmp.Or(s.c.PortalURL, r.Portal)
	if portal == "" {
		return "", "", nil
	}
	token, err := s.mailToken(r, address, action)
	return portal + "#" + action + "=" + token, portal + "?" + action + "=" + token, err
}

// sendConfirmation sends the first mail to an address.
func (s *Sender) sendConfirmation(ctx context.Context, l *mailClaim, of *accountRecord) error {
	if !slices.Contains(of.Emails, NotifyEmail{l.address, false}) {
		return errNoRecipient
	}
	link, _, err := s.mailLink(of, l.address, linkConfirm)
	if err != nil {
		return err
	}
	if link == "" {
		return errNoRecipient
	}
	m := &message{Brand: s.c.Brand, Address: l.address, Account: l.account, Confirm: link, id: s.messageID(l)}
	m.Subject = "Confirm that you want to be told of failed webhooks"
	m.Headline = m.Subject
	_, err = s.postMail(ctx, s.mails.server, m, "confirm")
	return err
}

// ConfirmEmail performs the action of the link with a token: it confirms an address of an account's owner, or removes it.
func (s *Sender) ConfirmEmail(ctx context.Context, token string) (c Confirmation, err error) {
	name, _, ok := strings.Cut(token, ".")
	account, err := base64.RawURLEncoding.DecodeString(name)
	if !ok || err != nil || !names.IsAccount(string(account)) {
		return c, errLink
	}
	_, err = s.changeAccount(ctx, string(account), func(r *accountRecord) error {
		for i, e := range r.Emails {
			for _, action := range []string{linkConfirm, linkUnsubscribe} {
				if r.Keys[e.Address] == "" {
					continue
				}
				right, err := s.mailToken(r, e.Address, action)
				if err != nil {
					return err
				}
				if !hmac.Equal([]byte(right), []byte(token)) {
					continue
				}
				c = Confirmation{e.Address, action == linkConfirm}
				if r.Emails[i].Confirmed = c.Confirmed; !c.Confirmed {
					r.Emails = slices.Delete(r.Emails, i, i+1)
					delete(r.Keys, e.Address)
				}
				return nil
			}
		}
		return errLink
	})
	if err != nil {
		return Confirmation{}, err
	}
	s.log.InfoContext(ctx, "account.email", "account", string(account), "address", c.Address, "confirmed", c.Confirmed)
	return c, nil
}
