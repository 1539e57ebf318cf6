package sender

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/destination"
	"github.com/videocloud/webhooks/internal/redistest"
)

// innerNames is a resolver that knows names of an inner network.
type innerNames map[string]string

func (n innerNames) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	switch a := n[host]; a {
	case "":
		return nil, &net.DNSError{Err: "no such host", Name: host, Server: "10.9.9.9:53", IsNotFound: true}
	case "fails":
		return nil, &net.DNSError{Err: "server misbehaving", Name: host, Server: "10.9.9.9:53", IsTemporary: true}
	case "slow":
		return nil, &net.DNSError{Err: "i/o timeout", Name: host, Server: "10.9.9.9:53", IsTimeout: true}
	case "empty":
		return nil, nil
	default:
		return []netip.Addr{netip.MustParseAddr(a)}, nil
	}
}

// TestLesson61_OneWordingForOwners: the owner of a webhook can't tell an inner name from one that there is not, nor our
// admin address from either; the operator's log names the address that would have been dialled and the cause.
func TestLesson61_OneWordingForOwners(t *testing.T) {
	t.Parallel()
	names := innerNames{
		"db.corp.example": "10.1.2.3", "me.corp.example": "127.0.0.1", "meta.corp.example": "169.254.169.254", "six.corp.example": "fd12::1",
		"admin.corp.example": "198.18.0.1", "fails.corp.example": "fails", "slow.corp.example": "slow", "empty.corp.example": "empty",
	}
	admin := func() []netip.AddrPort { return []netip.AddrPort{netip.MustParseAddrPort("198.18.0.1:443")} }
	for host, cause := range map[string]string{
		"db.corp.example": "10.1.2.3:443", "me.corp.example": "127.0.0.1:443", "meta.corp.example": "169.254.169.254:443", "six.corp.example": "[fd12::1]:443",
		"admin.corp.example": "198.18.0.1:443", "fails.corp.example": "server misbehaving", "slow.corp.example": "i/o timeout", "empty.corp.example": "no addresses",
		"none.corp.example": "no such host",
	} {
		t.Run(host, func(t *testing.T) {
			t.Parallel()
			log := &logText{}
			b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), func(o *Options) {
				once(o)
				o.Logger = log.logger()
				o.Transport = destination.NewTransport(&destination.Policy{Forbidden: admin}, destination.TransportOptions{Resolver: names})
			}).start()
			b.webhook("https://" + host + "/")
			d := b.reaches(b.publish(guideData), StateFailed)
			require.Equal(t, destination.NotPublic, d.Attempts[0].Error)
			eventually(t, "the log line names "+cause, func() bool { return strings.Contains(log.String(), cause) })
		})
	}
	for _, url := range []string{"https://10.1.2.3/", "https://127.0.0.1/", "https://[fd12::1]/", "https://localhost/", "https://198.18.0.1/", "https://[::1]:2019/"} {
		b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), func(o *Options) { o.Forbidden, o.Config.AllowNetworks = admin, nil })
		_, _, err := b.CreateWebhook(t.Context(), config.DefaultAccount, NewWebhook{Settings: Settings{URL: url, Events: []string{"video.*"}}})
		require.ErrorContains(t, err, destination.NotPublic, url)
	}
}

// Not modified names no other URL.
func TestNotModifiedIsNoRedirect(t *testing.T) {
	t.Parallel()
	b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), once).start()
	b.webhook(newSink(t, status(http.StatusNotModified)).URL)
	d := b.reaches(b.publish(guideData), StateFailed)
	require.Equal(t, "answered 304", d.Attempts[0].Error)
}

// TestLesson58_OneAttemptIsOneRequest: no header makes net/http send a request again, where the endpoint closes
// connections that it kept alive after it has read a request.
func TestLesson58_OneAttemptIsOneRequest(t *testing.T) {
	t.Parallel()
	for _, header := range []string{"Idempotency-Key", "idempotency-key", "X-Idempotency-Key", "X-Other"} {
		t.Run(header, func(t *testing.T) {
			t.Parallel()
			b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), once).start()
			to := newSink(t, func(n int, w http.ResponseWriter, _ *http.Request) {
				if n > 1 { // the first one leaves a connection that is kept
					panic(http.ErrAbortHandler)
				}
			})
			to.Config.ErrorLog = discardLog
			_, _, err := b.CreateWebhook(t.Context(), config.DefaultAccount, NewWebhook{Settings: Settings{URL: to.URL, Events: []string{"video.*"}}, Headers: map[string]string{header: "k"}})
			require.NoError(t, err)
			b.reaches(b.publish(guideData), StateSucceeded)
			for n := range 3 {
				d := b.reaches(b.publish(guideData), StateFailed)
				require.Len(t, d.Attempts, 1)
				require.Equal(t, "the connection was closed before an answer came", d.Attempts[0].Error)
				require.Len(t, to.got(), 2+n, "as many requests as attempts")
			}
		})
	}
}
