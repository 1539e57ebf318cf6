package command

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/videocloud/webhooks/internal/signature"
)

// schemeAuto stands for whatever the headers look like.
const schemeAuto = "auto"

func newVerify() *cobra.Command {
	var f verifyFlags
	cmd := &cobra.Command{
		Use:   "verify --secret <secret> --header <header>",
		Short: "Checks the signature of a body on standard input",
		Long: `
Checks the signature of a body on standard input, as a gateway with the same
settings would, and says which secret made it. Otherwise it exits with status 1
and says why, beginning with the word of {http.webhook.error}.

With --json it prints one object instead. With --scheme auto it tries the schemes
that the headers look like.`,
		Example: `  $ caddy webhook verify --secret your_webhook_secret \
      --header 'X-VideoCloud-Signature: 5f2b...' < body.json
  $ caddy webhook verify --scheme auto --secret @secret.txt \
      --header @headers.txt < body.json`,
		RunE: runner(func(cmd *cobra.Command) error { return f.run(cmd) }),
	}
	f.add(cmd)
	f.addNow(cmd)
	f.addTolerance(cmd)
	addJSON(cmd, &f.json)
	addHeaders(cmd, &f.headers)
	cmd.Flags().StringVar(&f.url, "url", "", "public URL of the request, for schemes that sign it")
	cmd.Flags().StringVar(&f.method, "method", "POST", "method of the request")
	return cmd
}

type verifyFlags struct {
	schemeFlags
	headers []string
	method  string
	json    bool
}

func (f *verifyFlags) run(cmd *cobra.Command) error {
	in := &input{reader: cmd.InOrStdin()}
	c, err := f.config(in)
	if err != nil {
		return err
	}
	headers, err := in.headers(f.headers)
	if err != nil {
		return err
	}
	now, err := f.time()
	if err != nil {
		return err
	}
	verify := verifyAs
	if f.scheme == schemeAuto {
		verify = verifyAny
	}
	// Settings are judged before standard input is waited for.
	check, err := verify(c, headers)
	if err != nil {
		return err
	}
	body, err := in.read("the body")
	if err != nil {
		return err
	}
	scheme, result, err := check(&signature.Request{Method: f.method, URL: f.url, Header: headers, Body: body}, now)
	if err != nil {
		var refused *signature.Error
		if !errors.As(err, &refused) {
			return err
		}
		if f.json {
			if err := printJSON(cmd.OutOrStdout(), verdict{Error: refused.Reason, Message: refused.Message}); err != nil {
				return err
			}
			return errNo
		}
		fmt.Fprintln(cmd.OutOrStdout(), refused)
		return errNo
	}
	if f.json {
		return printJSON(cmd.OutOrStdout(), verdictOf(scheme, &result))
	}
	if len(f.secrets) == 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "verified (%s)\n", scheme)
		return nil
	}
	fmt.Fprintf(cmd.OutOrStdout(), "verified: secret %d of %d matched (%s)\n", result.Secret+1, len(f.secrets), scheme)
	return nil
}

// verdict is the answer for programs.
type verdict struct {
	Verified  bool   `json:"verified"`
	Scheme    string `json:"scheme,omitempty"`
	Secret    int    `json:"secret,omitempty"` // which one matched, from 1 on
	ID        string `json:"id,omitempty"`
	Event     string `json:"event,omitempty"`
	Timestamp string `json:"timestamp,omitempty"` // as the sender wrote it
	Error     string `json:"error,omitempty"`     // a word of {http.webhook.error}
	Message   string `json:"message,omitempty"`
}

func verdictOf(scheme string, r *signature.Result) verdict {
	return verdict{Verified: true, Scheme: scheme, Secret: r.Secret + 1, ID: r.ID, Event: r.Event, Timestamp: r.Timestamp}
}

// check judges a request and says by which scheme.
type check = func(r *signature.Request, now time.Time) (scheme string, result signature.Result, err error)

func verifyAs(c signature.Config, _ http.Header) (check, error) {
	v, err := newVerifierOf(c)
	if err != nil {
		return nil, err
	}
	return func(r *signature.Request, now time.Time) (string, signature.Result, error) {
		result, err := v.Verify(r, now)
		return v.Scheme(), result, err
	}, nil
}

// verifyAny tries the schemes that headers and body look like, the likeliest first. If none says yes, that one's no counts.
func verifyAny(c signature.Config, headers http.Header) (check, error) {
	checks := map[string]check{}
	var unusable error
	for _, name := range signature.SchemeOf(headers, nil) {
		c.Scheme = name
		one, err := verifyUsable(c)
		if err != nil {
			unusable = cmp.Or(unusable, err)
			continue
		}
		checks[name] = one
	}
	if len(checks) == 0 {
		if unusable == nil {
			unusable = usagef("scheme: the headers look like none that is known; name it with --scheme")
		}
		return nil, unusable
	}
	return func(r *signature.Request, now time.Time) (string, signature.Result, error) {
		var first error
		var names []string
		var result signature.Result
		for _, name := range signature.SchemeOf(headers, r.Body) {
			one, ok := checks[name]
			if !ok || !likely(name, c.Secrets) || (len(names) > 0 && !signature.Alike(headers, r.Body, names[0], name)) {
				continue
			}
			scheme, own, err := one(r, now)
			if err != nil {
				first = cmp.Or(first, err)
				continue
			}
			if len(names) == 0 {
				result = own
			}
			names = append(names, scheme)
		}
		if len(names) == 0 {
			return "", signature.Result{}, first
		}
		return strings.Join(names, " or "), result, nil // those that nothing tells apart
	}, nil
}

// likely reports whether one of the secrets looks like the scheme's.
func likely(scheme string, secrets []string) bool {
	return len(secrets) == 0 || slices.ContainsFunc(secrets, func(secret string) bool { return signature.Likely(scheme, secret) })
}

// verifyUsable is verifyAs with those of the secrets that the scheme can use: of several, some may be other schemes'.
func verifyUsable(c signature.Config) (check, error) {
	given := c.Secrets
	var numbers []int
	c.Secrets = nil
	var unusable error
	for i, secret := range given {
		alone := c
		alone.Secrets = []string{secret}
		if _, err := newVerifierOf(alone); err != nil {
			unusable = cmp.Or(unusable, err)
			continue
		}
		c.Secrets, numbers = append(c.Secrets, secret), append(numbers, i)
	}
	if len(c.Secrets) == 0 {
		return nil, unusable
	}
	check, err := verifyAs(c, nil)
	if err != nil {
		return nil, err
	}
	return func(r *signature.Request, now time.Time) (string, signature.Result, error) {
		scheme, result, err := check(r, now)
		if err == nil {
			result.Secret = numbers[result.Secret]
		}
		return scheme, result, err
	}, nil
}
