package sender

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/names"
	"github.com/videocloud/webhooks/sender/internal/registry"
)

// Account owns webhooks and events. It begins to exist with the first thing that it stores.
type Account struct {
	Account   string        // 1 to 64 letters, digits, dots, dashes and underscores
	Name      string        // what its owner calls it
	Emails    []NotifyEmail // where its owner is told of failed webhooks
	NotifyURL string        // the same, as a webhook
	CreatedAt time.Time     // of an account that has stored nothing yet: now
}

// NotifyEmail is an address of an account's owner. It gets no notices until the link in a first mail was opened.
type NotifyEmail struct {
	Address   string `json:"address"`
	Confirmed bool   `json:"confirmed"`
}

// AccountUpdate changes the fields that are not nil. An address that is in Emails before and after the update stays confirmed.
type AccountUpdate struct {
	Name         *string   // at most 256 bytes; empty: none
	Emails       *[]string // all of them, 5 at most
	NotifyURL    *string   // empty: none, and its secret goes with it
	NotifySecret *string   // 16 to 256 bytes; empty makes one
	// Portal returns the URL of the portal, for links in mails to addresses that are to be confirmed. It is called only where such a
	// mail is sent. Defaults to the portal_url of the configuration.
	Portal func() (string, error)
}

// accountLane takes the place of a lane where a secret of an account is sealed. It can't be a webhook's: those are longer.
const accountLane = "account"

// accountInfo is the part of an account that its owner sets, in the JSON in which it is stored.
type accountInfo struct {
	Name   string        `json:"name,omitempty"`
	Emails []NotifyEmail `json:"emails,omitempty"`
	URL    string        `json:"url,omitempty"`
	Secret string        `json:"secret,omitempty"` // of URL, sealed
	// Keys are the keys of the tokens in mails, by address; sealed.
	Keys   map[string]string `json:"keys,omitempty"`
	Portal string            `json:"portal,omitempty"` // where such links lead, unless the configuration says so
}

// accountRecord is an account as it was read from the store.
type accountRecord struct {
	account string
	version string // "" where the store knows nothing of it
	created time.Time
	exists  bool // it has stored something
	ending  bool // it is being deleted
	accountInfo
}

func (r *accountRecord) public() Account {
	return Account{Account: r.account, Name: r.Name, Emails: r.Emails, NotifyURL: r.URL, CreatedAt: r.created}
}

// errEnding refuses every write of an account that is being deleted.
var errEnding = &Error{Code: CodeConflict, Message: "this account is being deleted; try again when that is done, and it begins anew"}

// accountRecord reads an account. Every account with a valid name can be read: one that has stored nothing was created now.
func (s *Sender) accountRecord(ctx context.Context, account string) (shard int, r *accountRecord, err error) {
	if shard, err = s.shard(ctx, account); err != nil {
		return 0, nil, err
	}
	list, err := s.accountRecords(ctx, account)
	if err != nil {
		return 0, nil, err
	}
	return shard, list[0], nil
}

// accountRecords reads accounts in one round trip.
func (s *Sender) accountRecords(ctx context.Context, accounts ...string) ([]*accountRecord, error) {
	places := make([]registry.AccountPlace, len(accounts))
	for i, account := range accounts {
		shard, err := s.shard(ctx, account)
		if err != nil {
			return nil, err
		}
		places[i] = registry.AccountPlace{Shard: shard, Account: account}
	}
	stored, err := s.registry.Accounts(ctx, places)
	if err != nil {
		return nil, s.unavailable("account", err)
	}
	list := make([]*accountRecord, len(accounts))
	for i, account := range accounts {
		a := stored[i]
		r := &accountRecord{account: account, version: a.Version, created: a.Created, exists: !a.Created.IsZero(), ending: a.Ending}
		if a.Info != "" {
			if err := json.Unmarshal([]byte(a.Info), &r.accountInfo); err != nil {
				return nil, fmt.Errorf("reading account %s: %w", account, err)
			}
		}
		if r.created.IsZero() {
			r.created = time.Now().UTC()
		}
		list[i] = r
	}
	return list, nil
}

// changeAccount reads an account, has change edit it, and writes it. Where somebody else wrote it in between, it does so again.
func (s *Sender) changeAccount(ctx context.Context, account string, change func(r *accountRecord) error) (r *accountRecord, err error) {
	var shard int
	err = retryChanged("this account", func() error {
		if shard, r, err = s.accountRecord(ctx, account); err != nil {
			return err
		}
		if err := change(r); err != nil {
			return err
		}
		info, err := json.Marshal(r.accountInfo)
		if err != nil {
			return fmt.Errorf("writing account %s: %w", account, err)
		}
		if r.created, err = s.registry.WriteAccount(ctx, shard, account, r.version, string(info)); err != nil {
			return s.writeError("account", err)
		}
		return nil
	})
	return r, err
}

// Account returns an account.
func (s *Sender) Account(ctx context.Context, account string) (Account, error) {
	_, r, err := s.accountRecord(ctx, account)
	if err != nil {
		return Account{}, err
	}
	return r.public(), nil
}

// UpdateAccount changes the given fields of an account. Where the account then has a NotifyURL but no secret, one is made and
// returned as secret, for this once: it can't be read later.
func (s *Sender) UpdateAccount(ctx context.Context, account string, u AccountUpdate) (a Account, secret string, err error) {
	if err := s.checkAccountUpdate(u); err != nil {
		return Account{}, "", err
	}
	var unconfirmed []string
	r, err := s.changeAccount(ctx, account, func(r *accountRecord) error {
		if secret, err = s.applyAccountUpdate(r, u); err != nil || u.Emails == nil {
			return err
		}
		if unconfirmed, err = s.setMailKeys(r); err != nil || s.mails.server == nil || len(unconfirmed) == 0 {
			unconfirmed = nil
			return err
		}
		if u.Portal != nil {
			r.Portal, err = u.Portal()
		}
		return err
	})
	if err != nil {
		return Account{}, "", err
	}
	shard, err := s.shard(ctx, account)
	if err != nil {
		return Account{}, "", err
	}
	for _, address := range unconfirmed {
		if err := s.addMail(ctx, shard, boxKindMail, boxName(account, address), fieldConfirm, "", 0); err != nil {
			return Account{}, "", s.unavailable("mail", err) // asking for the same again mails what is missing
		}
	}
	return r.public(), secret, nil
}

func (s *Sender) applyAccountUpdate(r *accountRecord, u AccountUpdate) (made string, err error) {
	if u.Name != nil {
		r.Name = *u.Name
	}
	if u.Emails != nil {
		r.Emails = keepConfirmed(*u.Emails, r.Emails)
	}
	if u.NotifyURL != nil {
		r.URL = *u.NotifyURL
	}
	secret := valueOf(u.NotifySecret)
	if r.URL == "" {
		if secret != "" {
			return "", invalid("notifySecret", "notifySecret signs what goes to notifyUrl, and there is none; give both")
		}
		r.Secret = ""
		return "", nil
	}
	if secret == "" && (u.NotifySecret != nil || r.Secret == "") {
		made = newSecret()
		secret = made
	}
	if secret != "" {
		r.Secret, err = s.seal(r.account, accountLane, secret)
	}
	return made, err
}

// keepConfirmed makes a list of addresses in which those that were confirmed before still are.
func keepConfirmed(addresses []string, before []NotifyEmail) []NotifyEmail {
	list := make([]NotifyEmail, len(addresses))
	for i, address := range addresses {
		list[i] = NotifyEmail{address, slices.Contains(before, NotifyEmail{address, true})}
	}
	return list
}

func (s *Sender) checkAccountUpdate(u AccountUpdate) error {
	if err := checkText("name", valueOf(u.Name), config.MaxAccountName); err != nil {
		return err
	}
	if err := checkEmails(valueOf(u.Emails)); err != nil {
		return err
	}
	if url := valueOf(u.NotifyURL); url != "" {
		if len(url) > config.MaxURL {
			return invalid("notifyUrl", "notifyUrl has at most %d bytes", config.MaxURL)
		}
		if err := s.checkDestination("notifyUrl", url); err != nil {
			return err
		}
	}
	if secret := valueOf(u.NotifySecret); secret != "" {
		return checkSecret("notifySecret", secret)
	}
	return nil
}

func checkEmails(addresses []string) error {
	if len(addresses) > config.MaxNotifyEmails {
		return invalid("notifyEmail", "notifyEmail has at most %d addresses", config.MaxNotifyEmails)
	}
	seen := map[string]bool{}
	for _, address := range addresses {
		if !isEmail(address) {
			return invalid("notifyEmail", "%s is not a mail address; give it alone, such as ops@example.com", quote(address))
		}
		if key := strings.ToLower(address); seen[key] {
			return invalid("notifyEmail", "%s is given twice", quote(address))
		} else {
			seen[key] = true
		}
	}
	return nil
}

// isEmail reports whether every mail server accepts this as an address: no quotes, no comments, no name in front, and nothing
// that could end a line or a command.
func isEmail(address string) bool {
	local, domain, ok := strings.Cut(address, "@")
	if !ok || local == "" || len(local) > 64 || len(address) > 254 || !isDotted(local, "!#$%&'*+-/=?^_`{|}~") {
		return false
	}
	for label := range strings.SplitSeq(domain, ".") {
		if len(label) > 63 || strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") {
			return false
		}
	}
	return strings.Contains(domain, ".") && isDotted(domain, "-")
}

// isDotted reports whether text consists of words of letters, digits and the given signs, with single dots between them.
func isDotted(text, signs string) bool {
	for word := range strings.SplitSeq(text, ".") {
		if !names.IsMadeOf(word, signs) {
			return false
		}
	}
	return true
}

// Accounts returns the accounts that have stored anything, sorted by name, and the cursor of the next page, "" where there is
// none.
func (s *Sender) Accounts(ctx context.Context, cursor string, limit int) (items []Account, next string, err error) {
	after, limit, err := checkPage(cursor, limit, names.IsAccount)
	if err != nil {
		return nil, "", err
	}
	found, err := s.accountNames(ctx, after, limit+1)
	if err != nil {
		return nil, "", err
	}
	if len(found) > limit {
		found = found[:limit]
		next = writeCursor(found[limit-1])
	}
	if len(found) == 0 {
		return []Account{}, "", nil
	}
	records, err := s.accountRecords(ctx, found...)
	if err != nil {
		return nil, "", err
	}
	items = make([]Account, 0, len(records))
	for _, r := range records {
		if !r.ending {
			items = append(items, r.public())
		}
	}
	return items, next, nil
}

// accountNames returns at most limit account names that sort after the given one, sorted; all of them where limit is 0.
func (s *Sender) accountNames(ctx context.Context, after string, limit int) ([]string, error) {
	shards, err := s.store.Shards(ctx)
	if err != nil {
		return nil, s.unavailable("check", err)
	}
	names, err := s.registry.AccountNames(ctx, shards, after, limit)
	if err != nil {
		return nil, s.unavailable("accounts", err)
	}
	return names, nil
}
