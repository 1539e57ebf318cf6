package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"time"
)

// A role is a part of a benchmark that runs in a process of its own, so that its CPU time can be told apart and so that
// it can be killed. It gets its settings as JSON in its first argument.
var roles = map[string]func(ctx context.Context, arg string, parent *pipe) error{}

// role registers one by its name.
func role[Settings any](name string, run func(ctx context.Context, o Settings, parent *pipe) error) {
	roles[name] = func(ctx context.Context, arg string, parent *pipe) error {
		var o Settings
		if err := json.Unmarshal([]byte(arg), &o); err != nil {
			return err
		}
		return run(ctx, o, parent)
	}
}

func runRole(ctx context.Context, name string, args []string) error {
	role := roles[name]
	if role == nil || len(args) != 1 {
		return errors.New("unknown role")
	}
	return errorOf(func() { check(role(ctx, args[0], &pipe{in: bufio.NewScanner(os.Stdin), out: os.Stdout})) })
}

// pipe carries one JSON value a line, each way, between a role and the process that started it.
type pipe struct {
	in  *bufio.Scanner
	out io.Writer
}

func (p *pipe) send(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = p.out.Write(append(b, '\n'))
	return err
}

// receive reads one line into v; nil takes any line.
func (p *pipe) receive(v any) error {
	if !p.in.Scan() {
		return fmt.Errorf("a process of the benchmark ended early: %w", errors.Join(p.in.Err(), io.EOF))
	}
	if v == nil {
		return nil
	}
	return json.Unmarshal(p.in.Bytes(), v)
}

// ask sends a question and receives its answer.
func (p *pipe) ask(question, answer any) error {
	if err := p.send(question); err != nil {
		return err
	}
	return p.receive(answer)
}

// waitForGo tells the parent that the role is ready and waits for a line; false means that the parent has closed the pipe, and the
// role has to end.
func (p *pipe) waitForGo() bool { return p.ask("ready", nil) == nil }

// answerEach answers the parent's questions until its last.
func (p *pipe) answerEach(answer func(question string) (any, error)) error {
	for {
		var question string
		if p.receive(&question) != nil {
			return nil
		}
		v, err := answer(question)
		if err == nil {
			err = p.send(v)
		}
		if err != nil {
			return err
		}
	}
}

// child is a running role, seen from the parent.
type child struct {
	pipe
	cmd   *exec.Cmd
	stdin io.Closer
	dir   string // a folder that is removed when the child ends; "" for none
}

// start runs a role of this program with settings and further variables of the environment, and receives its first line.
func start(ctx context.Context, role string, settings, first any, environment ...string) (*child, error) {
	c, err := launch(ctx, role, settings, environment)
	if err != nil {
		return nil, err
	}
	if err := c.receive(first); err != nil {
		c.stop()
		return nil, err
	}
	return c, nil
}

// startAndGo starts a role that waits for a line, and sends it.
func startAndGo(ctx context.Context, role string, settings any, environment ...string) (*child, error) {
	c, err := start(ctx, role, settings, nil, environment...)
	if err != nil {
		return nil, err
	}
	if err := c.send("go"); err != nil {
		c.stop()
		return nil, err
	}
	return c, nil
}

func launch(ctx context.Context, role string, settings any, environment []string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	arg, err := json.Marshal(settings)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "-role", role, string(arg))
	cmd.Stderr, cmd.Env = os.Stderr, append(os.Environ(), environment...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, 16<<20)
	return &child{pipe: pipe{lines, stdin}, cmd: cmd, stdin: stdin}, cmd.Start()
}

// stop closes the input of a role, which ends it, and kills the role if it still runs 20 seconds later.
func (c *child) stop() {
	if c == nil {
		return
	}
	_ = c.stdin.Close()
	kill := time.AfterFunc(20*time.Second, func() { _ = c.cmd.Process.Kill() })
	defer kill.Stop()
	c.wait()
}

// kill ends a role as a crash would.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	c.wait()
}

func (c *child) wait() {
	_ = c.cmd.Wait()
	if c.dir != "" {
		_ = os.RemoveAll(c.dir)
	}
}

// killProcess ends a process that another one started, as a crash would.
func killProcess(pid int) error {
	p, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	return p.Kill()
}

// profileTo writes a CPU profile until the returned function is called, which also writes a profile of allocations. An empty
// folder writes none.
func profileTo(folder, name string) func() {
	if folder == "" {
		return func() {}
	}
	f, err := os.Create(filepath.Join(folder, name+".pprof"))
	if err != nil {
		progress("no profile: %v", err)
		return func() {}
	}
	_ = pprof.StartCPUProfile(f)
	return func() {
		pprof.StopCPUProfile()
		_ = f.Close()
		if allocs, err := os.Create(filepath.Join(folder, name+".allocs.pprof")); err == nil {
			_ = pprof.Lookup("allocs").WriteTo(allocs, 0)
			_ = allocs.Close()
		}
	}
}
