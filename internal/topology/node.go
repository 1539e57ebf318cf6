package topology

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/videocloud/webhooks/internal/freeport"
)

// Node is one server, whose process can be killed and started again.
type Node struct {
	port, bus int // bus is the port by which nodes of a cluster talk to each other
	dir       string
	args      []string
	client    *redis.Client

	mu  sync.Mutex
	cmd *exec.Cmd
}

func newNode(parent string) (*Node, error) {
	port, err := freeport.Find()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(parent, "node")
	if err != nil {
		return nil, err
	}
	n := &Node{port: port, dir: dir}
	n.client = redis.NewClient(&redis.Options{
		Addr: n.Addr(), Protocol: 2, MaxRetries: -1, DialerRetries: 1, DialTimeout: time.Second, ReadTimeout: 30 * time.Second,
		ContextTimeoutEnabled: true, DisableIdentity: true,
	})
	return n, nil
}

// startNode adds a server with data, and starts it with the arguments of all servers and some of its own.
func (s *Servers) startNode(ctx context.Context, all []string, own ...string) (*Node, error) {
	n, err := newNode(s.dir)
	if err != nil {
		return nil, err
	}
	n.args = slices.Concat([]string{"--port", strconv.Itoa(n.port), "--bind", "127.0.0.1", "--dir", n.dir}, all, own)
	s.Nodes = append(s.Nodes, n)
	return n, n.Up(ctx)
}

// Addr returns the host:port of the server.
func (n *Node) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(n.port)) }

// Client returns a client of this server alone, which repeats no command that failed.
func (n *Node) Client() *redis.Client { return n.client }

// Up starts the server, also again after [Node.Kill], and waits until it answers.
func (n *Node) Up(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cmd != nil {
		return nil
	}
	cmd := exec.Command("redis-server", n.args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		return err
	}
	n.cmd = cmd
	if err := waitUntil(ctx, n.Addr()+" answers", func() bool { return n.client.Ping(ctx).Err() == nil }); err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // its output is complete only then
		n.cmd = nil
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(out.String()))
	}
	return nil
}

// Kill ends the server at once, as a crash would.
func (n *Node) Kill() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cmd == nil {
		return
	}
	_ = n.cmd.Process.Kill()
	_ = n.cmd.Wait()
	n.cmd = nil
}

// Running reports whether the server was started and not killed.
func (n *Node) Running() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.cmd != nil
}

// Freeze stops the server without ending its connections.
func (n *Node) Freeze() { n.signal(stopSignal) }

// Thaw lets the server go on after [Node.Freeze].
func (n *Node) Thaw() { n.signal(continueSignal) }

func (n *Node) signal(s os.Signal) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cmd != nil {
		_ = n.cmd.Process.Signal(s)
	}
}

// Info reads one field of INFO; "" where the server doesn't answer within a second.
func (n *Node) Info(ctx context.Context, field string) string {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	text, _ := n.client.Info(ctx).Result()
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), field+":"); ok {
			return v
		}
	}
	return ""
}
