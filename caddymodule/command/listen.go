package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/videocloud/webhooks/internal/signature"
)

// maxListen bounds what is read of one request.
const maxListen = 5 << 20

func newListen() *cobra.Command {
	var f listenFlags
	cmd := &cobra.Command{
		Use:   "listen [--address <host:port>] [--secret <secret>]",
		Short: "Prints and checks what arrives",
		Long: `
Listens for webhooks and prints each with its headers and body. With --secret it
checks the signatures too, and answers 401 to those that are wrong. With --scheme
auto each request is checked by the scheme that it looks like. Schemes with
published keys need no secret, only their options. It stops at an interrupt. With --json it prints one object a request.`,
		Example: `  $ caddy webhook listen --secret your_webhook_secret
  $ caddy webhook listen --scheme auto --secret @github.txt --secret @stripe.txt
  $ caddy webhook listen --status 500`,
		RunE: untilInterrupt(f.run),
	}
	f.add(cmd)
	f.addTolerance(cmd)
	addJSON(cmd, &f.json)
	cmd.Flags().StringVar(&f.address, "address", "localhost:9000", "where to listen")
	cmd.Flags().StringVar(&f.url, "url", "", "public URL, for schemes that sign it")
	cmd.Flags().IntVar(&f.status, "status", http.StatusOK, "status to answer what is right, to try out retries")
	return cmd
}

type listenFlags struct {
	schemeFlags
	address string
	status  int
	json    bool
}

func (f *listenFlags) run(ctx context.Context, cmd *cobra.Command) error {
	if f.status < 200 || f.status > 599 {
		return usagef("status: %d is not between 200 and 599", f.status)
	}
	l := &listener{out: cmd.OutOrStdout(), status: f.status, json: f.json}
	// Without a secret only what has published keys, or keys among its options, can be checked.
	if len(f.secrets) > 0 || (len(f.options) > 0 && (f.scheme == schemeAuto || signature.Keyless(f.scheme))) {
		c, err := f.config(&input{reader: cmd.InOrStdin()})
		if err != nil {
			return err
		}
		if l.verify, err = f.verifyFunc(c, nil); err != nil {
			return err
		}
	}
	l.guess = f.scheme == schemeAuto
	socket, err := net.Listen("tcp", f.address)
	if err != nil {
		return usagef("listening: %w", err)
	}
	to := l.out
	if f.json {
		to = cmd.ErrOrStderr()
	}
	fmt.Fprintf(to, "listening on http://%s, press Ctrl-C to stop\n", socket.Addr())
	server := &http.Server{Handler: l, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(socket); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// listener prints requests, one at a time.
type listener struct {
	mu     sync.Mutex
	out    io.Writer
	verify verifyFunc // nil checks nothing
	guess  bool       // says what an unchecked request looks like
	status int
	json   bool
}

func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxListen))
	if err != nil {
		http.Error(w, "the body can't be read", http.StatusBadRequest)
		return
	}
	a := &arrivedRequest{At: time.Now(), Method: r.Method, URI: r.RequestURI, Status: l.status, Headers: headersJSON(redactedHeaders(r.Header)), Body: string(body)}
	if l.verify == nil && l.guess {
		if names := signature.DetectSchemes(r.Header, body); len(names) > 0 {
			a.Guess = names[0]
		}
	}
	if l.verify != nil {
		a.verdict = new(verdict)
		scheme, result, err := l.verify(&signature.Request{Method: r.Method, URL: r.RequestURI, Header: r.Header, Body: body}, a.At)
		if err == nil {
			*a.verdict = verdictOf(scheme, &result)
		} else {
			*a.verdict, a.Status = verdict{Error: signature.ReasonMismatch, Message: err.Error()}, http.StatusUnauthorized
			if refused, ok := errors.AsType[*signature.Error](err); ok {
				a.Error, a.Message = refused.Reason, refused.Message
			}
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.json {
		_ = printJSON(l.out, a) // an output that is closed does not end the listening, as with text
	} else {
		a.print(l.out, r)
	}
	w.WriteHeader(a.Status)
}

// arrivedRequest is a request that was listened for.
type arrivedRequest struct {
	At       time.Time         `json:"at"`
	Method   string            `json:"method"`
	URI      string            `json:"uri"`
	Status   int               `json:"status"` // of the answer
	*verdict                   // absent without --secret
	Guess    string            `json:"looksLike,omitempty"` // a scheme, with --scheme auto and no --secret
	Headers  map[string]string `json:"headers"`
	Body     string            `json:"body"`
}

func (a *arrivedRequest) print(w io.Writer, r *http.Request) {
	words := "not checked"
	switch v := a.verdict; {
	case v == nil && a.Guess != "":
		words = "not checked, looks like " + a.Guess
	case v == nil:
	case v.Verified:
		words = fmt.Sprintf("verified by secret %d (%s)", v.Secret, v.Scheme)
		if v.Secret == 0 {
			words = fmt.Sprintf("verified (%s)", v.Scheme)
		}
	default:
		words = v.Error + ": " + v.Message
	}
	fmt.Fprintf(w, "\n%s %s %s, %d bytes: %s\n", a.At.Format(time.TimeOnly), a.Method, strings.Map(printable, a.URI), len(a.Body), words)
	printHeaders(w, "  ", redactedHeaders(r.Header))
	fmt.Fprintf(w, "\n%s\n", strings.Map(printable, a.Body))
}

// redactedHeaders are those of a request, without the values of those that let somebody in elsewhere.
func redactedHeaders(h http.Header) http.Header {
	shown := h.Clone()
	for _, name := range []string{"Authorization", "Cookie"} {
		if shown.Get(name) != "" {
			shown.Set(name, "(not shown)")
		}
	}
	return shown
}
