// Package command is `caddy webhook`: the tools for making, checking and watching webhooks from a shell.
//
//	keygen     make a secret
//	sign       print the headers that sign a body
//	verify     check a body and its headers
//	send       send a signed test delivery
//	listen     print and check what arrives
//	version    print the version of these modules
//
//	stats      show how a running Caddy does
//	webhooks   list webhooks with their backlog
//	events     list an account's events
//	keys       make, list and end API keys
//	tail       show what happens, as it happens
//	explain    say what became of an event or a delivery
//	show       show an event in a receiver's queue
//	retry      send a delivery again
//	replay     send many again
//	dead       look after what a receiver's queue gave up
//	forget     let a receiver take an event again
//	backup     save all that the store holds
//	restore    put it back
//
// Each command is in a file of its name and joins the tree by a line in build. The second group asks the admin API of a
// running Caddy. What a command was asked for goes to standard output, what is wrong with the asking to standard error.
// The exit status is 0 for yes, 1 for no, 2 for a command line that can't be carried out, and 3 where Caddy, or its
// store, can't be asked.
package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:      "webhook",
		Usage:     "<command>",
		Short:     "Makes, checks and watches webhooks",
		Long:      long,
		CobraFunc: build,
	})
}

const long = `
Makes, checks and watches webhooks.

Secrets are given as text, as @file, as @- for standard input, or as env:NAME.
Text ends up in the shell's history and in the list of processes: prefer the
others for real ones. From a file or standard input one trailing line break is
dropped.

Commands print text for people, and with --json one object for programs.

The exit status is 0 for yes, 1 for no, 2 for a command line that can't be
carried out, and 3 where Caddy, or its store, can't be asked.`

const example = `  $ caddy webhook keygen
  $ caddy webhook sign --secret @secret.txt < body.json
  $ caddy webhook verify --scheme github --secret env:SECRET \
      --header 'X-Hub-Signature-256: sha256=...' < body.json
  $ caddy webhook listen --secret your_webhook_secret
  $ caddy webhook send --url http://localhost:9000/webhooks \
      --secret your_webhook_secret --event video.uploaded

  $ caddy webhook stats
  $ caddy webhook explain evt_0190...
  $ caddy webhook replay whk_0123456789ab --since 2h`

// build hangs the commands under `caddy webhook`.
func build(root *cobra.Command) {
	root.Example = example
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return finish(cmd, usage(withDashes(cmd, err))) })
	root.Args = cobra.ArbitraryArgs // to be answered below, with exit status 2
	root.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 || args[0] == "help" {
			return cmd.Help()
		}
		return usagef("there is no command %q; see caddy webhook --help", args[0])
	}
	root.AddCommand(newKeygen(), newSign(), newVerify(), newSend(), newListen(),
		newStats(), newWebhooks(), newEvents(), newKeys(), newTail(), newExplain(), newShow(), newRetry(), newReplay(), newDead(), newForget(), newReencrypt(), newNotifyTest(), newBackup(), newRestore(), newVersion(), newSchemes())
	finishAll(root)
	complete(root)
	// Caddy's own help ends in where its own documentation is.
	root.SetHelpTemplate(`{{with (or .Long .Short)}}{{. | trimTrailingWhitespaces}}

{{end}}{{if or .Runnable .HasSubCommands}}{{.UsageString}}{{end}}
Full documentation: https://github.com/videocloud/webhooks/blob/main/docs/command-line.md
`)
}

// withDashes says what is wrong where somebody wrote a flag with one dash, as other programs take them.
func withDashes(cmd *cobra.Command, err error) error {
	var unknown interface {
		error
		GetSpecifiedShortnames() string
	}
	if !errors.As(err, &unknown) {
		return err
	}
	name, _, _ := strings.Cut(unknown.GetSpecifiedShortnames(), "=")
	if name == "" || cmd.Flags().Lookup(name) == nil {
		return err
	}
	return fmt.Errorf("%w; write it with two dashes: --%s", err, name)
}

// noArguments makes a function that takes no arguments but flags into what cobra runs.
func noArguments(run func(cmd *cobra.Command) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usagef("unexpected argument %q; see --help", args[0])
		}
		return run(cmd)
	}
}

// arguments makes a function that takes n arguments into what cobra runs. words say what they name; none of them may be empty.
func arguments(n int, words string, run func(cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n || slices.Contains(args, "") {
			return usagef("name %s; see --help", words)
		}
		return run(cmd, args)
	}
}

// untilInterrupt is noArguments for what goes on until somebody interrupts it.
func untilInterrupt(run func(ctx context.Context, cmd *cobra.Command) error) func(*cobra.Command, []string) error {
	return noArguments(func(cmd *cobra.Command) error {
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		return run(ctx, cmd)
	})
}

// group makes a command that only holds others, whose names are its words.
func group(cmd *cobra.Command, words string, commands ...*cobra.Command) *cobra.Command {
	cmd.Args = cobra.ArbitraryArgs // answered here, with exit status 2
	cmd.RunE = func(*cobra.Command, []string) error { return usagef("say %s; see --help", words) }
	cmd.AddCommand(commands...)
	return cmd
}

// errNo is the answer no: exit status 1. It was printed already.
var errNo = errors.New("no")

// The exit statuses of errors; that of all others is 1.
const (
	statusUsage       = 2 // a command line that can't be carried out
	statusUnreachable = 3 // a Caddy that can't be asked, or whose store can't
)

// statusError is an error with an exit status of its own.
type statusError struct {
	error
	status int
}

func (e *statusError) Unwrap() error { return e.error }

func usage(err error) error { return &statusError{err, statusUsage} }

func usagef(format string, args ...any) error { return usage(fmt.Errorf(format, args...)) }

func unreachablef(format string, args ...any) error {
	return &statusError{fmt.Errorf(format, args...), statusUnreachable}
}

// finishAll has every command of the tree end by finish.
func finishAll(cmd *cobra.Command) {
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return finish(cmd, run(cmd, args)) }
	for _, sub := range cmd.Commands() {
		finishAll(sub)
	}
}

// finish prints an error and turns it into Caddy's way of saying an exit status.
func finish(cmd *cobra.Command, err error) error {
	if err == nil {
		return nil
	}
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	if !errors.Is(err, errNo) {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s: %v\n", cmd.CommandPath(), err)
	}
	code := exitStatus(err)
	if code == 1 {
		return err // Caddy's own way of saying it
	}
	status := func(caddycmd.Flags) (int, error) { return code, nil }
	return errors.Join(err, caddycmd.WrapCommandFuncForCobra(status)(cmd, nil))
}

// exitStatus is that of an error.
func exitStatus(err error) int {
	if e, ok := errors.AsType[*statusError](err); ok {
		return e.status
	}
	return 1
}
