package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/sender"
)

const (
	// One in mixFailEvery events of an account is refused at its first attempt, where the webhook has retries of its own.
	mixFailEvery = 16
	mixUser      = "mix"
	mixPassword  = "mix-password"
	// mixTokenLifetime is so short that tokens expire in every run.
	mixTokenLifetime = 20 * time.Second
)

// mixFilter keeps out every fourth event of an account, see mixKeepsOut.
var mixFilter = fmt.Sprintf("data.n / %d %% 4 != 0", chaosAccounts)

// mixRetry is the table of those webhooks that have one of their own.
var mixRetry = []config.Duration{
	0, config.Duration(500 * time.Millisecond), config.Duration(time.Second), config.Duration(2 * time.Second),
	config.Duration(5 * time.Second), config.Duration(10 * time.Second), config.Duration(10 * time.Second),
}

// mix gives the webhooks of chaos settings of their own, in all combinations, and does the endpoints' part: it checks credentials, has
// attempts fail, and counts what comes out of turn. The methods of a nil mix do nothing, so that plain webhooks need no other code.
type mix struct {
	tokenURL string

	mu         sync.Mutex
	tokens     map[string]time.Time // when each expires
	issued     int                  // tokens
	keptOut    int                  // events, by a filter
	misled     int                  // publishes that were told of another number of deliveries than there have to be
	arrived    map[string]bool      // by webhook and event
	last       map[string]int       // by webhook: the highest event that has arrived
	inversions int                  // first attempts at an ordered webhook behind one of a later event
	strangers  int                  // attempts with credentials that the endpoint never had
	expired    int                  // attempts with a token that has expired or was revoked
	leaked     int                  // events that arrived although a filter keeps them out
}

// What each webhook has, by its number.
func mixOrdered(i int) bool  { return i%3 == 0 }
func mixFiltered(i int) bool { return i/3%3 == 0 }
func mixRetries(i int) bool  { return i/9%2 == 0 }
func mixAuth(i int) sender.AuthType {
	return []sender.AuthType{"", sender.AuthBasic, sender.AuthBearer, sender.AuthOAuth2}[i/2%4]
}

// mixKeepsOut reports whether the filter of its webhook keeps an event out.
func mixKeepsOut(n int) bool { return mixFiltered(n%chaosAccounts) && n/chaosAccounts%4 == 0 }

// newMix makes a mix with an authorization server, which serves until stop is called.
func newMix() (m *mix, stop func(), err error) {
	m = &mix{tokens: map[string]time.Time{}, arrived: map[string]bool{}, last: map[string]int{}}
	addr, stop, err := serveHTTP(http.HandlerFunc(m.serveToken))
	m.tokenURL = "http://" + addr + "/token"
	return m, stop, err
}

// serveToken answers a request for a token.
func (m *mix) serveToken(w http.ResponseWriter, r *http.Request) {
	client, secret, _ := r.BasicAuth()
	webhook, err := strconv.Atoi(client)
	if err != nil || secret != mixPassword {
		http.Error(w, `{"error":"invalid_client"}`, http.StatusUnauthorized)
		return
	}
	m.mu.Lock()
	m.issued++
	token := fmt.Sprintf("token-%d-%d", webhook, m.issued)
	m.tokens[token] = time.Now().Add(mixTokenLifetime)
	m.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":%d}`, token, int(mixTokenLifetime/time.Second))
}

// revokeTokens ends all tokens.
func (m *mix) revokeTokens() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.tokens)
}

// configure gives a webhook what one of its number has.
func (m *mix) configure(w *sender.NewWebhook, i int) {
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
		w.Auth = &sender.Auth{Type: kind, Username: mixUser, Password: mixPassword}
	case sender.AuthBearer:
		w.Auth = &sender.Auth{Type: kind, Token: mixPassword}
	case sender.AuthOAuth2:
		w.Auth = &sender.Auth{Type: kind, TokenURL: m.tokenURL, ClientID: strconv.Itoa(i), ClientSecret: mixPassword}
	}
}

// data adds the number of an event to its data, for mixFilter.
func (m *mix) data(data []byte, n int) []byte {
	if m == nil {
		return data
	}
	return bytes.Replace(data, []byte("{"), fmt.Appendf(nil, `{"n":%d,`, n), 1)
}

// countPublished counts an event whose publisher was told of so many deliveries.
func (m *mix) countPublished(n, deliveries int) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	want := 1
	if mixKeepsOut(n) {
		m.keptOut++
		want = 0
	}
	if deliveries != want {
		m.misled++
	}
}

// filteredOut is how many of the published events a filter keeps out.
func (m *mix) filteredOut() int {
	if m == nil {
		return 0
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.keptOut
}

// admit counts an attempt and reports whether it may go on to the gateway. Otherwise admit has answered it.
func (m *mix) admit(w http.ResponseWriter, r *http.Request) bool {
	if m == nil {
		return true
	}
	webhook, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
	n, _ := strconv.Atoi(strings.TrimPrefix(r.Header.Get("webhook-id"), chaosPrefix))
	m.mu.Lock()
	defer m.mu.Unlock()
	key := arrivalKey(r)
	first := !m.arrived[key]
	if first {
		m.arrived[key] = true
		if mixOrdered(webhook) {
			if n < m.last[r.URL.Path] {
				m.inversions++
			}
			m.last[r.URL.Path] = max(n, m.last[r.URL.Path])
		}
		if mixKeepsOut(n) {
			m.leaked++
		}
	}
	switch {
	case !m.checkCredentials(webhook, r.Header.Get("Authorization")):
		w.WriteHeader(http.StatusUnauthorized)
	case first && mixRetries(webhook) && n/chaosAccounts%mixFailEvery == 5:
		w.WriteHeader(http.StatusServiceUnavailable)
	default:
		return true
	}
	return false
}

// checkCredentials reports whether an attempt has the credentials that its webhook has, and counts it otherwise.
func (m *mix) checkCredentials(webhook int, given string) bool {
	want := ""
	switch mixAuth(webhook) {
	case sender.AuthBasic:
		want = "Basic " + base64.StdEncoding.EncodeToString([]byte(mixUser+":"+mixPassword))
	case sender.AuthBearer:
		want = "Bearer " + mixPassword
	case sender.AuthOAuth2:
		if !strings.HasPrefix(given, fmt.Sprintf("Bearer token-%d-", webhook)) {
			m.strangers++
			return false
		}
		if !time.Now().Before(m.tokens[strings.TrimPrefix(given, "Bearer ")]) {
			m.expired++
			return false
		}
		return true
	}
	if given != want {
		m.strangers++
	}
	return given == want
}

func (m *mix) addFigures(f *figures) {
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
	f.add("tokens_asked_for", m.issued)
	f.add("tokens_refused", m.expired)
}
