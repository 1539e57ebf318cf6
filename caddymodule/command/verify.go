package command

import (
	"cmp"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/videocloud/webhooks/internal/signature"
)

func newVerify() *cobra.Command {
	var f requestFlags
	cmd := &cobra.Command{
		Use:   "verify --secret <secret> --header <header>",
		Short: "Checks the signature of a body on standard input",
		Long: `
Checks the signature of a body on standard input, as a gateway with the same
settings would, and says which secret made it. Otherwise it exits with status 1
and says why, beginning with the word of {http.webhook.error}.

With --json it prints one object instead. With --scheme auto it tries the schemes
that headers and body look like; schemes with published keys need no secret.`,
		Example: `  $ caddy webhook verify --secret your_webhook_secret \
      --header 'X-VideoCloud-Signature: 5f2b...' < body.json
  $ caddy webhook verify --scheme auto --secret @secret.txt \
      --header @headers.txt < body.json`,
		RunE: noArguments(func(cmd *cobra.Command) error { return verify(cmd, &f) }),
	}
	f.add(cmd, "public URL of the request, for schemes that sign it")
	f.addTolerance(cmd)
	return cmd
}

func verify(cmd *cobra.Command, f *requestFlags) error {
	in := &input{reader: cmd.InOrStdin()}
	c, err := f.config(in)
	if err != nil {
		return err
	}
	now, headers, err := f.timeAndHeaders(in)
	if err != nil {
		return err
	}
	// Settings are checked before standard input is waited for.
	verify, err := f.verifyFunc(c, headers)
	if err != nil {
		return err
	}
	body, err := in.read("the body")
	if err != nil {
		return err
	}
	scheme, result, err := verify(&signature.Request{Method: f.method, URL: f.url, Header: headers, Body: body}, now)
	if refused, ok := errors.AsType[*signature.Error](err); ok {
		err = printAnswer(cmd, f.json, verdict{Error: refused.Reason, Message: refused.Message}, func(w io.Writer) { fmt.Fprintln(w, refused) })
		return cmp.Or(err, errNo)
	}
	if err != nil {
		return err
	}
	return printAnswer(cmd, f.json, verdictOf(scheme, &result), func(w io.Writer) {
		if result.Secret < 0 {
			fmt.Fprintf(w, "verified (%s)\n", scheme)
		} else {
			fmt.Fprintf(w, "verified: secret %d of %d matched (%s)\n", result.Secret+1, len(f.secrets), scheme)
		}
	})
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
