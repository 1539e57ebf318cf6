// Command workflow runs a job of a GitHub workflow on this machine, step after step as GitHub would:
//
//	workflow <file.yml> <job>
//
// It is started in the checkout. What an action would install must already be here. An action or an expression that is not known
// here is an error, so that a workflow has nothing that was never tried. Steps that are given a secret publish something: of those
// only the shell's syntax is checked.
package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"log"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

type step struct {
	Name             string
	Uses             string
	Run              string
	Shell            string
	WorkingDirectory string `yaml:"working-directory"`
	Env              map[string]string
	With             map[string]string
}

type workflow struct {
	Jobs map[string]struct {
		Env   map[string]string
		Steps []step
	}
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("workflow: ")
	if len(os.Args) != 3 {
		log.Fatal("say a file and a job; see the package's comment")
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

func run(file, name string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var w workflow
	if err := yaml.Unmarshal(text, &w); err != nil {
		return err
	}
	job, ok := w.Jobs[name]
	if !ok {
		return fmt.Errorf("%s has no job %q, but %v", file, name, slices.Sorted(maps.Keys(w.Jobs)))
	}
	r, err := newRunner()
	if err != nil {
		return err
	}
	defer os.RemoveAll(r.temp)
	maps.Copy(r.env, job.Env)
	for i, s := range job.Steps {
		firstLine, _, _ := strings.Cut(s.Run, "\n")
		title := cmp.Or(s.Name, s.Uses+firstLine)
		fmt.Printf("\n--- %s: %s\n", name, title)
		if err := r.step(s); err != nil {
			return fmt.Errorf("step %d (%s): %w", i+1, title, err)
		}
	}
	return nil
}

// runner runs the steps of a job, and has what they leave for those after them.
type runner struct {
	temp string            // a folder that is removed after the last step
	env  map[string]string // variables of all steps
	path []string          // folders before those of PATH
}

func newRunner() (*runner, error) {
	version, err := os.ReadFile("VERSION")
	if err != nil {
		return nil, err
	}
	checkout, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp("", "workflow")
	if err != nil {
		return nil, err
	}
	r := &runner{temp: temp, env: map[string]string{
		"CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": checkout, "GITHUB_ACTOR": "nobody", "GITHUB_REPOSITORY": "videocloud/webhooks",
		"GITHUB_REF_NAME": "v" + strings.TrimSpace(string(version)), "RUNNER_TEMP": filepath.Join(temp, "temp"), "RUNNER_OS": "Linux",
	}}
	if err := os.Mkdir(r.env["RUNNER_TEMP"], 0o755); err != nil {
		return nil, err
	}
	if _, err := exec.LookPath("sudo"); err == nil {
		return r, nil
	}
	if os.Geteuid() != 0 {
		return nil, errors.New("sudo is missing")
	}
	// For root, a script of that name runs the command as it is.
	r.path = []string{filepath.Join(temp, "bin")}
	if err := os.Mkdir(r.path[0], 0o755); err != nil {
		return nil, err
	}
	return r, os.WriteFile(filepath.Join(r.path[0], "sudo"), []byte("#!/bin/sh\nwhile case $1 in -*) ;; *) false ;; esac; do shift; done\nexec \"$@\"\n"), 0o755)
}

// errSecret means that a step is given a secret, which only GitHub has.
var errSecret = errors.New("it needs a secret")

var expression = regexp.MustCompile(`\$\{\{ *(.*?) *\}\}`)

// expand fills in the expressions of a text.
func (r *runner) expand(text string) (string, error) {
	var problems error
	text = expression.ReplaceAllStringFunc(text, func(e string) string {
		name := expression.FindStringSubmatch(e)[1]
		switch {
		case name == "runner.temp":
			return r.env["RUNNER_TEMP"]
		case name == "github.token" || strings.HasPrefix(name, "secrets."):
			problems = errors.Join(problems, errSecret)
		case strings.HasPrefix(name, "matrix."): // the version of a language; here it is the one that is installed
		default:
			problems = errors.Join(problems, fmt.Errorf("the expression %s is not known here", e))
		}
		return ""
	})
	return text, problems
}

func (r *runner) expandAll(values map[string]string) (map[string]string, error) {
	expanded := map[string]string{}
	var problems []error
	for name, value := range values {
		value, err := r.expand(value)
		expanded[name] = value
		problems = append(problems, err)
	}
	return expanded, errors.Join(problems...)
}

func (r *runner) step(s step) error {
	if s.Uses != "" {
		return r.action(s)
	}
	script, err := r.expand(s.Run)
	if err != nil {
		return err
	}
	env, err := r.expandAll(s.Env)
	if errors.Is(err, errSecret) {
		fmt.Println("it is given a secret: not run, only read")
		return r.command([]string{"bash", "-n", "-c", script}, "", nil)
	}
	if err != nil {
		return err
	}
	shell := map[string][]string{"": {"bash", "-e"}, "bash": {"bash", "--noprofile", "--norc", "-eo", "pipefail"}, "sh": {"sh", "-e"}}[s.Shell]
	if shell == nil {
		return fmt.Errorf("the shell %s is not known here", s.Shell)
	}
	files := map[string]string{}
	for _, name := range []string{"GITHUB_ENV", "GITHUB_PATH", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"} {
		files[name] = filepath.Join(r.temp, name)
		if err := os.WriteFile(files[name], nil, 0o644); err != nil {
			return err
		}
	}
	maps.Copy(env, files)
	if err := r.command(append(shell, "-c", script), s.WorkingDirectory, env); err != nil {
		return err
	}
	return r.keepOutputs(files)
}

// keepOutputs keeps what a step wrote into the files that GitHub reads after it: variables and folders of PATH.
func (r *runner) keepOutputs(files map[string]string) error {
	for name, keepLine := range map[string]func(string) error{
		"GITHUB_ENV": func(line string) error {
			key, value, ok := strings.Cut(line, "=")
			if !ok {
				return fmt.Errorf("GITHUB_ENV: %q is not known here", line)
			}
			r.env[key] = value
			return nil
		},
		"GITHUB_PATH": func(line string) error { r.path = slices.Insert(r.path, 0, line); return nil },
	} {
		f, err := os.Open(files[name])
		if err != nil {
			return err
		}
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			if err := keepLine(lines.Text()); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *runner) command(args []string, dir string, env map[string]string) error {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.Env = dir, os.Stdout, os.Stderr, os.Environ()
	for _, values := range []map[string]string{r.env, {"PATH": strings.Join(append(slices.Clone(r.path), os.Getenv("PATH")), ":")}, env} {
		for name, value := range values {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	return cmd.Run()
}

// action checks that the program which an action would install is here, or that the files which it would publish are.
func (r *runner) action(s step) error {
	name, _, ok := strings.Cut(s.Uses, "@")
	if !ok {
		return fmt.Errorf("%s names no version", s.Uses)
	}
	with, err := r.expandAll(s.With)
	if err != nil {
		return err
	}
	if program := map[string]string{"actions/checkout": "git", "actions/setup-go": "go", "actions/setup-node": "npm", "actions/setup-python": "python3"}[name]; program != "" {
		_, err := exec.LookPath(program)
		return err
	}
	published := map[string]string{"actions/attest-build-provenance": with["subject-path"], "pypa/gh-action-pypi-publish": cmp.Or(with["packages-dir"], "dist") + "/*"}[name]
	if published == "" {
		return fmt.Errorf("the action %s is not known here", name)
	}
	files, err := filepath.Glob(published)
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("%s is given %s, where nothing is", name, published)
	}
	return err
}
