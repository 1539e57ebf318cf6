package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
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
checks the signatures too, and answers 401 to those that are wrong. It stops at
an interrupt.`,
		Example: `  $ caddy webhook listen --secret your_webhook_secret`,
		RunE: runner(func(cmd *cobra.Command) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return f.run(ctx, cmd)
		}),
	}
	f.add(cmd)
	f.addTolerance(cmd)
	cmd.Flags().StringVar(&f.address, "address", "localhost:9000", "where to listen")
	cmd.Flags().StringVar(&f.url, "url", "", "public URL, for schemes that sign it")
	cmd.Flags().IntVar(&f.status, "status", http.StatusOK, "status to answer what is right, to try out retries")
	return cmd
}

type listenFlags struct {
	schemeFlags
	address string
	status  int
}

func (f *listenFlags) run(ctx context.Context, cmd *cobra.Command) error {
	if f.status < 200 || f.status > 599 {
		return usagef("status: %d is not between 200 and 599", f.status)
	}
	l := &listener{out: cmd.OutOrStdout(), status: f.status}
	if len(f.secrets) > 0 {
		v, err := f.verifier(&input{reader: cmd.InOrStdin()})
		if err != nil {
			return err
		}
		l.verifier = v
	}
	socket, err := net.Listen("tcp", f.address)
	if err != nil {
		return usagef("listening: %w", err)
	}
	fmt.Fprintf(l.out, "listening on http://%s, press Ctrl-C to stop\n", socket.Addr())
	server := &http.Server{Handler: l, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(socket); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// listener prints requests, one at a time.
type listener struct {
	mu       sync.Mutex
	out      io.Writer
	verifier *signature.Verifier // nil checks nothing
	status   int
}

func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxListen))
	if err != nil {
		http.Error(w, "the body can't be read", http.StatusBadRequest)
		return
	}
	verdict, status := "not checked", l.status
	if l.verifier != nil {
		result, err := l.verifier.Verify(&signature.Request{Method: r.Method, URL: r.RequestURI, Header: r.Header, Body: body}, time.Now())
		if verdict = fmt.Sprintf("verified by secret %d", result.Secret+1); err != nil {
			verdict, status = err.Error(), http.StatusUnauthorized
		}
	}
	l.print(r, body, verdict)
	w.WriteHeader(status)
}

func (l *listener) print(r *http.Request, body []byte, verdict string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.out, "\n%s %s %s, %d bytes: %s\n", time.Now().Format(time.TimeOnly), r.Method,
		strings.Map(printable, r.RequestURI), len(body), verdict)
	shown := r.Header.Clone()
	for _, name := range []string{"Authorization", "Cookie"} {
		if shown.Get(name) != "" {
			shown.Set(name, "(not shown)")
		}
	}
	printHeaders(l.out, "  ", shown)
	fmt.Fprintf(l.out, "\n%s\n", strings.Map(printable, string(body)))
}
