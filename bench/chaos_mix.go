package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/sender"
)

const (
	// mixFails is how many events of an account lie between two whose first attempt fails, where the webhook has retries of its own.
	mixFails = 16
	mixUser  = "mix"
	mixWord  = "mix-password"
	// mixToken is how long an access token is good: some end in every run.
	mixToken = 20 * time.Second
)

// mixFilter keeps out every fourth event of an account, see mixKeeps.
var mixFilter = fmt.Sprintf("data.n / %d %% 4 != 0", chaosAccounts)

// mixRetry is the table of those webhooks that have one of their own.
var mixRetry = []config.Duration{
	0, config.Duration(500 * time.Millisecond), config.Duration(time.Second), config.Duration(2 * time.Second),
	config.Duration(5 * time.Second), config.Duration(10 * time.Second), config.Duration(10 * time.Second),
}

// mix has the webhooks of chaos use what endpoints may ask for, in all combinations, and is the endpoints' part of it: it looks who calls,
// has attempts fail, and counts what comes out of turn. The methods of a nil mix do nothing, so that plain webhooks need no other code.
type mix struct {
	tokenURL string

	mu         sync.Mutex
	tokens     map[string]mixGrant
	asked      int             // for tokens
	keptOut    int             // events
	misled     int             // publishes whose answer does not name the webhooks that it went to
	came       map[string]bool // by webhook and event
	last       map[string]int  // event by webhook: the last that came for the first time
	inversions int
	strangers  int // attempts without the credentials that the endpoint asks for, of those that never had other credentials
	revoked    int // attempts with a token that is not good any more
	leaked     int // events that a filter keeps out, and that came all the same
}

type mixGrant struct {
	webhook int
	ends    time.Time
}

// The webhooks by number: what each has.
func mixOrdered(i int) bool  { return i%3 == 0 }
func mixFiltered(i int) bool { return i/3%3 == 0 }
func mixRetries(i int) bool  { return i/9%2 == 0 }
func mixAuth(i int) sender.AuthType {
	return []sender.AuthType{"", sender.AuthBasic, sender.AuthBearer, sender.AuthOAuth2}[i/2%4]
}

// mixKeeps reports whether the filter of a webhook keeps an event out.
func mixKeeps(n int) bool { return mixFiltered(n%chaosAccounts) && n/chaosAccounts%4 == 0 }

// newMix makes one, with its authorization server.
func newMix() (*mix, func(), error) {
	m := &mix{tokens: map[string]mixGrant{}, came: map[string]bool{}, last: map[string]int{}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	m.tokenURL = "http://" + l.Addr().String() + "/token"
	server := &http.Server{Handler: http.HandlerFunc(m.grant)}
	go func() { _ = server.Serve(l) }()
	return m, func() { _ = server.Close() }, nil
}

// grant answers a request for a token.
func (m *mix) grant(w http.ResponseWriter, r *http.Request) {
	client, secret, _ := r.BasicAuth()
	webhook, err := strconv.Atoi(client)
	if err != nil || secret != mixWord {
		http.Error(w, `{"error":"invalid_client"}`, http.StatusUnauthorized)
		return
	}
	m.mu.Lock()
	m.asked++
	token := fmt.Sprintf("token-%d-%d", webhook, m.asked)
	m.tokens[token] = mixGrant{webhook, time.Now().Add(mixToken)}
	m.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":%d}`, token, int(mixToken/time.Second))
}

// revoke has no token be good any more.
func (m *mix) revoke() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.tokens)
}

// into gives a webhook what it has.
func (m *mix) into(w *sender.NewWebhook, i int) {
	if m == nil {
		return
	}
	w.Ordered = mixOrdered(i)
	if mixFiltered(i) {
		w.Filter = mixFilter
	}
	if mixRetries(i) {
		w.Retry = mixRetry
	}
	switch kind := mixAuth(i); kind {
	case sender.AuthBasic:
		w.Auth = &sender.Auth{Type: kind, Username: mixUser, Password: mixWord}
	case sender.AuthBearer:
		w.Auth = &sender.Auth{Type: kind, Token: mixWord}
	case sender.AuthOAuth2:
		w.Auth = &sender.Auth{Type: kind, TokenURL: m.tokenURL, ClientID: strconv.Itoa(i), ClientSecret: mixWord}
	}
}

// data has the data of an event say which one it is.
func (m *mix) data(data []byte, n int) []byte {
	if m == nil {
		return data
	}
	return bytes.Replace(data, []byte("{"), fmt.Appendf(nil, `{"n":%d,`, n), 1)
}

// told notes to how many webhooks an event goes, as its publisher was told.
func (m *mix) told(n, deliveries int) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	want := 1
	if mixKeeps(n) {
		m.keptOut++
		want = 0
	}
	if deliveries != want {
		m.misled++
	}
}

func (m *mix) kept() int {
	if m == nil {
		return 0
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.keptOut
}

// admits reports whether an attempt gets past what stands in front of the gateway. Otherwise it has answered.
func (m *mix) admits(w http.ResponseWriter, r *http.Request) bool {
	if m == nil {
		return true
	}
	webhook, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
	n, _ := strconv.Atoi(strings.TrimPrefix(r.Header.Get("webhook-id"), chaosPrefix))
	m.mu.Lock()
	defer m.mu.Unlock()
	key := arrivalKey(r)
	first := !m.came[key]
	if first {
		m.came[key] = true
		if mixOrdered(webhook) {
			if n < m.last[r.URL.Path] {
				m.inversions++
			}
			m.last[r.URL.Path] = max(n, m.last[r.URL.Path])
		}
		if mixKeeps(n) {
			m.leaked++
		}
	}
	switch {
	case !m.knows(webhook, r.Header.Get("Authorization")):
		w.WriteHeader(http.StatusUnauthorized)
	case first && mixRetries(webhook) && n/chaosAccounts%mixFails == 5:
		w.WriteHeader(http.StatusServiceUnavailable)
	default:
		return true
	}
	return false
}

// knows looks at the credentials of an attempt.
func (m *mix) knows(webhook int, given string) bool {
	want := ""
	switch mixAuth(webhook) {
	case sender.AuthBasic:
		want = "Basic " + base64.StdEncoding.EncodeToString([]byte(mixUser+":"+mixWord))
	case sender.AuthBearer:
		want = "Bearer " + mixWord
	case sender.AuthOAuth2:
		token, is := strings.CutPrefix(given, fmt.Sprintf("Bearer token-%d-", webhook))
		grant := m.tokens[fmt.Sprintf("token-%d-%s", webhook, token)]
		switch {
		case !is:
			m.strangers++
		case grant.webhook != webhook || time.Now().After(grant.ends):
			m.revoked++
			return false
		}
		return is
	}
	if given != want {
		m.strangers++
	}
	return given == want
}

// figures adds what the mix counted.
func (m *mix) figures(f *figures) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	f.add("inversions", m.inversions)
	f.add("kept_out", m.keptOut)
	f.add("leaked", m.leaked)
	f.add("misled", m.misled)
	f.add("strangers", m.strangers)
	f.add("tokens_asked_for", m.asked)
	f.add("tokens_refused", m.revoked)
}
