package sender_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redistest"
	"github.com/videocloud/webhooks/sender"
	"github.com/videocloud/webhooks/sender/api"
)

const keyOfConfiguration = "key-of-the-configuration"

// asking counts how often the store is asked for a key, and how often it still has one though it was deleted.
type asking struct {
	*sender.Sender
	asked, stale atomic.Int64
	deleted      atomic.Value // of the key, a string
}

func (a *asking) FindKey(ctx context.Context, value string) (sender.Key, error) {
	deleted := a.deleted.Load() // before the store is asked
	a.asked.Add(1)
	k, err := a.Sender.FindKey(ctx, value)
	if err == nil && deleted == value {
		a.stale.Add(1)
	}
	return k, err
}

// process is one of several that serve the API, each with connections of its own.
type process struct {
	t       *testing.T
	service *asking
	api     http.Handler
}

func newProcess(t *testing.T, redis config.Redis) *process {
	s, err := sender.New(sender.Options{Store: redistest.Public(redistest.Open(t, redis)), Config: config.Sender{DeliverOff: true}})
	require.NoError(t, err)
	p := &process{t: t, service: &asking{Sender: s}}
	p.api, err = api.New(api.Options{Service: p.service, Keys: []api.Key{{Value: keyOfConfiguration, Account: "shop"}}})
	require.NoError(t, err)
	return p
}

func (p *process) do(key, method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(p.t.Context(), method, path, strings.NewReader(body))
	r.Header = http.Header{"Authorization": {"Bearer " + key}, "Content-Type": {"application/json"}}
	w := httptest.NewRecorder()
	p.api.ServeHTTP(w, r)
	return w
}

var (
	idOfAnswer  = regexp.MustCompile(`"id":"(key_[^"]+)"`)
	keyOfAnswer = regexp.MustCompile(`"key":"(vck_[^"]+)"`)
)

func (p *process) makeKey(role string) (id, value string) {
	p.t.Helper()
	w := p.do(keyOfConfiguration, "POST", "/api-keys", fmt.Sprintf(`{"role":%q}`, role))
	require.Equal(p.t, 201, w.Code, w.Body)
	text := w.Body.String()
	return idOfAnswer.FindStringSubmatch(text)[1], keyOfAnswer.FindStringSubmatch(text)[1]
}

// answers polls until a key gets an answer.
func (p *process) answers(key string, status int) {
	p.t.Helper()
	require.Eventually(p.t, func() bool { return p.do(key, "GET", "/webhooks", "").Code == status }, 2*time.Minute, 5*time.Millisecond)
}

// A key that one process deletes is refused by another: also by one that could not be told, as it was cut off from Redis when it happened.
// While it is cut off it lets nobody in whom it can't ask for, and says of nothing that it is done.
func TestADeletedKeyIsRefusedByAProcessThatWasCutOff(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	link := redistest.NewProxy(t, server)
	near := newProcess(t, config.Redis{URL: server.URL(), Timeout: redistest.Patience})
	far := newProcess(t, config.Redis{URL: link.URL(), Timeout: redistest.Patience})
	id, value := near.makeKey("all")
	_, other := near.makeKey("read")
	for _, p := range []*process{near, far} {
		p.answers(value, 200)
		p.answers(other, 200)
	}
	refused := func(p *process) {
		t.Helper()
		p.answers(value, 401)
		for range 20 {
			require.Equal(t, 401, p.do(value, "GET", "/webhooks", "").Code, "refused once, refused for ever")
		}
		require.Zero(t, p.service.stale.Load(), "the first question after the deletion is the last that is needed")
	}

	link.Cut()
	require.Equal(t, 503, far.do(keyOfConfiguration, "DELETE", "/api-keys/"+id, "").Code, "it can't delete it")
	near.answers(value, 200)
	require.Equal(t, 200, near.do(keyOfConfiguration, "DELETE", "/api-keys/"+id, "").Code)
	for _, p := range []*process{near, far} {
		p.service.deleted.Store(value)
	}
	refused(near)
	far.answers(value, 503) // once it trusts no more what it knew before
	for range 20 {
		require.Equal(t, 503, far.do(value, "GET", "/webhooks", "").Code, "it can't know")
	}
	link.Mend()
	far.answers(other, 200)
	refused(far)

	// Nothing is cut: the other process hears of it all the same.
	id, value = far.makeKey("read")
	near.answers(value, 200)
	require.Equal(t, 200, far.do(keyOfConfiguration, "DELETE", "/api-keys/"+id, "").Code)
	for _, p := range []*process{near, far} {
		p.service.deleted.Store(value)
		refused(p)
	}
}

var scriptCalls = regexp.MustCompile(`cmdstat_(?:evalsha|eval|fcall):calls=(\d+)`)

// Publishing with a key that was made asks Redis for as much as with one of the configuration: the key is looked up in memory, and asked for
// again no more than twice in the time for which it is trusted, however many requests there are.
func TestPublishingWithAMadeKeyCostsNoMore(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	p := newProcess(t, config.Redis{URL: server.URL(), Timeout: redistest.Patience})
	_, made := p.makeKey("publish")
	events := 0
	publish := func(key string) {
		events++
		w := p.do(key, "POST", "/events", fmt.Sprintf(`{"event":"video.uploaded","id":"evt_%d","data":{}}`, events))
		require.Equal(t, 202, w.Code, w.Body)
	}
	// calls counts the scripts that Redis runs while something is done, and those of them that look for a key.
	calls := func(do func()) (scripts, asked int) {
		require.NoError(t, server.Client().ConfigResetStat(t.Context()).Err())
		before := p.service.asked.Load()
		do()
		stats, err := server.Client().Info(t.Context(), "commandstats").Result()
		require.NoError(t, err)
		for _, found := range scriptCalls.FindAllStringSubmatch(stats, -1) {
			n, err := strconv.Atoi(found[1])
			require.NoError(t, err)
			scripts += n
		}
		return scripts, int(p.service.asked.Load() - before)
	}
	publish(keyOfConfiguration) // loads the scripts
	publish(made)

	const most = 300
	configured, asked := calls(func() {
		for range most {
			publish(keyOfConfiguration)
		}
	})
	require.Zero(t, asked)
	require.Positive(t, configured)
	began := time.Now()
	withMade, asked := calls(func() {
		for range most {
			publish(made)
		}
	})
	t.Logf("%d publishes: %d scripts with a key of the configuration, %d with one that was made, %d of them for the key", most, configured, withMade, asked)
	require.LessOrEqual(t, withMade, configured+asked+1, "one that was begun before may end meanwhile")
	require.LessOrEqual(t, asked, 2+2*int(time.Since(began)/(400*time.Millisecond)), "on a slow machine more time goes by")
}
