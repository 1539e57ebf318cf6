package command

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/caddyserver/caddy/v2"

	"github.com/videocloud/webhooks/internal/signature"
)

const defaultScheme = "videocloud"

// schemeFlags say how something is signed.
type schemeFlags struct {
	scheme, url, tolerance string
	secrets, options       []string
}

// add defines the flags that every command with signatures has.
func (f *schemeFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.scheme, "scheme", defaultScheme, "signature scheme")
	flags.StringArrayVar(&f.secrets, "secret", nil, "secret: text, @file, @- or env:NAME (repeatable)")
	flags.StringArrayVar(&f.options, "option", nil, "option of the scheme, as name=value (repeatable)")
}

func (f *schemeFlags) addTolerance(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.tolerance, "tolerance", "", "accepted age of a timestamp, in seconds, or off (default: the scheme's)")
}

// config resolves the flags. Its errors are usage errors.
func (f *schemeFlags) config(in *input) (signature.Config, error) {
	c := signature.Config{Scheme: f.scheme, URL: f.url, Options: map[string]string{}}
	var err error
	if len(f.secrets) > 0 || (f.scheme != schemeAuto && !signature.Keyless(f.scheme)) {
		if c.Secrets, err = in.secrets(f.secrets); err != nil {
			return c, err
		}
	}
	for _, option := range f.options {
		name, value, ok := strings.Cut(option, "=")
		if !ok || name == "" {
			return c, usagef("option: %q is not name=value", option)
		}
		if _, twice := c.Options[name]; twice {
			return c, usagef("option: %s is given twice", name)
		}
		c.Options[name] = value
	}
	switch {
	case f.tolerance == "off":
		c.ToleranceOff = true
	case f.tolerance != "":
		if c.Tolerance, err = parseTolerance(f.tolerance); err != nil {
			return c, err
		}
	}
	return c, nil
}

func parseTolerance(text string) (time.Duration, error) {
	d, err := caddy.ParseDuration(text)
	if seconds, err2 := strconv.ParseInt(text, 10, 32); err2 == nil {
		d, err = time.Duration(seconds)*time.Second, nil
	}
	if err != nil || d <= 0 {
		return 0, usagef("tolerance: %q is neither a number of seconds above zero, nor a duration such as 5m, nor off", text)
	}
	return d, nil
}

// verifier builds the scheme. Its errors are usage errors.
func (f *schemeFlags) verifier(in *input) (*signature.Verifier, error) {
	c, err := f.config(in)
	if err != nil {
		return nil, err
	}
	return newVerifierOf(c)
}

// newVerifierOf is signature.New with errors for this command line.
func newVerifierOf(c signature.Config) (*signature.Verifier, error) {
	v, err := signature.New(c)
	if err == nil {
		return v, nil
	}
	if slices.ContainsFunc(signature.Schemes(), func(s signature.Info) bool { return s.Name == c.Scheme || slices.Contains(s.Aliases, c.Scheme) }) {
		return nil, usage(err)
	}
	return nil, usagef("%w; there are %s", err, strings.Join(schemeNames(), ", "))
}

// schemeNames are the names of all schemes, in their order.
func schemeNames() []string {
	var names []string
	for _, s := range signature.Schemes() {
		names = append(names, s.Name)
	}
	slices.Sort(names)
	return names
}
