package caddymodule

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"

	"github.com/videocloud/webhooks/receiver"
)

const (
	// secretsAge is how old a secret from a file gets before the file is looked at again: Caddy reloads nothing where only the file
	// has changed, as the text of the configuration is the same.
	secretsAge = 10 * time.Second
	// secretsReminder is how many looks pass before an unreadable file is complained of again.
	secretsReminder = 30
)

// fileSecrets are the secrets of a receiver some of which come from files.
type fileSecrets struct {
	receiver *receiver.Receiver
	logger   *zap.Logger
	written  []string // with placeholders, the challenge last
	current  []string // the same, resolved
	failures int
}

// watchSecrets remembers r's secrets where they come from files, and warns of files whose text is hardly what is meant.
func (a *App) watchSecrets(r *Receiver, c []string) {
	w := &fileSecrets{receiver: r.receiver, logger: r.logger, written: append(slices.Clone(r.Secrets), r.Challenge), current: c}
	if slices.ContainsFunc(w.written, fromFile) {
		w.warn()
		a.fileSecrets = append(a.fileSecrets, w)
	}
}

func fromFile(value string) bool { return strings.Contains(value, "{file.") }

// reloadSecrets looks at the files again.
func (a *App) reloadSecrets() {
	for _, w := range a.fileSecrets {
		w.reload()
	}
}

// reload takes over what has changed. What can't be read or used leaves the secrets as they were.
func (w *fileSecrets) reload() {
	values := &resolver{repl: caddy.NewReplacer()}
	last := len(w.written) - 1
	now := append(values.all("secret", w.written[:last]), values.value("challenge", w.written[last]))
	err := values.err
	if err == nil && slices.Equal(now, w.current) {
		w.failures = 0
		return
	}
	if err == nil {
		err = w.receiver.SetSecrets(now[:last:last], now[last])
	}
	if err != nil {
		if w.failures%secretsReminder == 0 {
			w.logger.Error("a secret's file has changed and can't be used; the secrets before stay in effect",
				zap.String("webhook_name", w.receiver.Name()), zap.Error(err))
		}
		w.failures++
		return
	}
	w.current, w.failures = now, 0
	w.logger.Info("secrets from files have changed and are in effect", zap.String("webhook_name", w.receiver.Name()))
	w.warn()
}

func (w *fileSecrets) warn() {
	for _, value := range w.written {
		for _, found := range outside.FindAllStringSubmatch(value, -1) {
			if found[1] != "file" {
				continue
			}
			text, err := os.ReadFile(found[2])
			if problem := oddSecret(text); err == nil && problem != "" {
				w.logger.Warn(fmt.Sprintf("the secret in %s %s, which counts as part of it", found[2], problem), zap.String("webhook_name", w.receiver.Name()))
			}
		}
	}
}

// oddSecret says what in a secret's file is hardly meant. Caddy takes one line end off its end.
func oddSecret(text []byte) string {
	secret := bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
	switch {
	case bytes.HasPrefix(text, []byte("\xef\xbb\xbf")), bytes.HasPrefix(text, []byte("\xff\xfe")), bytes.HasPrefix(text, []byte("\xfe\xff")):
		return "begins with a byte order mark (BOM)"
	case bytes.HasSuffix(secret, []byte("\n")), bytes.HasSuffix(secret, []byte("\r")):
		return "has more than one line end at its end"
	case bytes.ContainsAny(secret, "\r\n"):
		return "has a line break in it"
	case len(bytes.TrimSpace(secret)) != len(secret):
		return "begins or ends with a blank"
	}
	return ""
}
