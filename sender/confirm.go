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

// What a link in a mail does when it is opened.
const (
	linkConfirm     = "confirm"
	linkUnsubscribe = "unsubscribe"
)

// An address of an account's owner gets mail only once a link in a first mail was opened; a link in each later one ends it.
// Both hold a token that only that mail has: made from a key of the address, which is stored sealed.
//
//	token = <base64url of the account>.<base64url of HMAC-SHA256(key, what it does)>

// Confirmation is what came of opening a link.
type Confirmation struct {
	Address   string `json:"address"`
	Confirmed bool   `json:"confirmed" doc:"false: it gets no more mail."`
}

var errLink = &Error{Code: CodeNotFound, Message: "this link is not valid any more; have the address confirmed anew with PUT /account"}

func (r *accountRecord) hasConfirmed(address string) bool {
	return slices.Contains(r.Emails, NotifyEmail{address, true})
}

// setMailKeys gives each address a key for its links, and drops those of others. It returns the addresses that are to be confirmed.
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

func (s *Sender) mailToken(r *accountRecord, address, does string) (string, error) {
	key, err := s.open(r.account, accountLane, r.Keys[address])
	if err != nil {
		return "", err
	}
	m := hmac.New(sha256.New, []byte(key))
	_, _ = m.Write([]byte(does))
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(r.account)) + "." + encode(m.Sum(nil)), nil
}

// mailLink is the link that does something for an address; empty where there is no telling where the portal is. It is for a
// browser, which keeps what follows the # from servers and their logs. A mail program that is to end mail by itself sends that to
// no one, so it gets oneClick.
func (s *Sender) mailLink(r *accountRecord, address, does string) (link, oneClick string, err error) {
	portal := cmp.Or(s.c.PortalURL, r.Portal)
	if portal == "" {
		return "", "", nil
	}
	token, err := s.mailToken(r, address, does)
	return portal + "#" + does + "=" + token, portal + "?" + does + "=" + token, err
}

// mailConfirmation sends the first mail to an address.
func (s *Sender) mailConfirmation(ctx context.Context, l *letter, of *accountRecord) (string, error) {
	if !slices.Contains(of.Emails, NotifyEmail{l.address, false}) {
		return "", errNobody
	}
	link, _, err := s.mailLink(of, l.address, linkConfirm)
	if err != nil {
		return "", err
	}
	if link == "" {
		return "", errNobody
	}
	m := &message{Brand: s.c.Brand, Address: l.address, Account: l.account, Confirm: link, id: s.messageID(l)}
	m.Subject = "Confirm that you want to be told of failed webhooks"
	m.Headline = m.Subject
	return s.post(ctx, m, "confirm")
}

// ConfirmEmail does what the link with a token is for: it confirms an address of an account's owner, or ends it.
func (s *Sender) ConfirmEmail(ctx context.Context, token string) (c Confirmation, err error) {
	name, _, ok := strings.Cut(token, ".")
	account, err := base64.RawURLEncoding.DecodeString(name)
	if !ok || err != nil || !names.IsAccount(string(account)) {
		return c, errLink
	}
	_, err = s.changeAccount(ctx, string(account), func(r *accountRecord) error {
		for i, e := range r.Emails {
			for _, does := range []string{linkConfirm, linkUnsubscribe} {
				if r.Keys[e.Address] == "" {
					continue
				}
				right, err := s.mailToken(r, e.Address, does)
				if err != nil {
					return err
				}
				if !hmac.Equal([]byte(right), []byte(token)) {
					continue
				}
				c = Confirmation{e.Address, does == linkConfirm}
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
