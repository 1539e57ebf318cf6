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
// it can be killed. It reads its settings from its first argument and talks in JSON lines.
var roles = map[string]func(ctx context.Context, arg string, talk *talk) error{}

// role registers one by its name.
func role[Settings any](name string, run func(ctx context.Context, o Settings, t *talk) error) {
	roles[name] = func(ctx context.Context, arg string, t *talk) error {
		var o Settings
		if err := json.Unmarshal([]byte(arg), &o); err != nil {
			return err
		}
		return run(ctx, o, t)
	}
}

func runRole(ctx context.Context, name string, args []string) error {
	role := roles[name]
	if role == nil || len(args) != 1 {
		return errors.New("unknown role")
	}
	return role(ctx, args[0], &talk{in: bufio.NewScanner(os.Stdin), out: os.Stdout})
}

// talk is the conversation of a role with its parent: one JSON value a line, each way.
type talk struct {
	in  *bufio.Scanner
	out io.Writer
}

func (t *talk) say(v any) {
	b, _ := json.Marshal(v)
	_, _ = t.out.Write(append(b, '\n'))
}

// hear reads one line; false at the end.
func (t *talk) hear(v any) bool {
	return t.in.Scan() && json.Unmarshal(t.in.Bytes(), v) == nil
}

// child is a running role, seen from the parent.
type child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
	dir string // a folder of its own, which goes with it; "" for none
}

// start runs a role of this program with settings, and with more in its environment, until it has said its first line.
func start(ctx context.Context, role string, settings, first any, environment ...string) (*child, error) {
	c, err := launch(ctx, role, settings, environment)
	if err != nil {
		return nil, err
	}
	if err := c.hear(first); err != nil {
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
	c := &child{cmd: exec.CommandContext(ctx, self, "-role", role, string(arg))}
	c.cmd.Stderr = os.Stderr
	c.cmd.Env = append(os.Environ(), environment...)
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = bufio.NewScanner(out)
	c.out.Buffer(nil, 16<<20)
	return c, c.cmd.Start()
}

func (c *child) say(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = c.in.Write(append(b, '\n'))
	return err
}

// hear reads one line into v; nil takes any line.
func (c *child) hear(v any) error {
	if !c.out.Scan() {
		return fmt.Errorf("a process of the benchmark ended early: %w", errors.Join(c.out.Err(), io.EOF))
	}
	if v == nil {
		return nil
	}
	return json.Unmarshal(c.out.Bytes(), v)
}

// ask says and hears.
func (c *child) ask(question, answer any) error {
	if err := c.say(question); err != nil {
		return err
	}
	return c.hear(answer)
}

// stop ends a role by the end of its input, or by force after a while.
func (c *child) stop() {
	if c == nil {
		return
	}
	_ = c.in.Close()
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

// profileTo writes a CPU profile until the returned function is called. An empty folder writes none.
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
