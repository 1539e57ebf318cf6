package caddymodule

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/signature"
	"github.com/videocloud/webhooks/receiver"
)

func init() {
	for _, s := range signature.Schemes() {
		for _, name := range append([]string{s.Name}, s.Aliases...) {
			caddy.RegisterModule(&SchemePreset{name: name})
		}
	}
}

const (
	schemeNamespace = "http.webhook_receiver.schemes"
	defaultScheme   = "videocloud"
)

// Scheme is a module of the namespace http.webhook_receiver.schemes. It says which of the schemes that the
// receiver knows is meant, and with which options. A module of another package can so be a preset over the
// parameterised scheme hmac, for a provider that is not built in.
type Scheme interface {
	// SignatureScheme returns the name of a built-in scheme and its options, whose values may be placeholders.
	SignatureScheme() (name string, options map[string]string)
}

// SchemePreset is a built-in signature scheme. There is one module for each; the JSON object holds the scheme's
// options, by name, beside the module's own name:
//
//	{"name": "hmac", "header": "X-Signature", "alg": "sha512", "encoding": "base64"}
type SchemePreset struct {
	name    string
	options map[string]string
}

// CaddyModule returns the Caddy module information.
func (s *SchemePreset) CaddyModule() caddy.ModuleInfo {
	name := s.name
	return caddy.ModuleInfo{
		ID:  caddy.ModuleID(schemeNamespace + "." + name),
		New: func() caddy.Module { return &SchemePreset{name: name} },
	}
}

// SignatureScheme implements Scheme.
func (s *SchemePreset) SignatureScheme() (string, map[string]string) { return s.name, s.options }

// UnmarshalJSON reads the options. Numbers and booleans count as their text.
func (s *SchemePreset) UnmarshalJSON(text []byte) error {
	var members map[string]any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&members); err != nil {
		return err
	}
	s.options = make(map[string]string, len(members))
	for option, value := range members {
		switch value.(type) {
		case string, json.Number, bool:
			s.options[option] = fmt.Sprint(value)
		default:
			return fmt.Errorf("scheme: %s: must be a string", option)
		}
	}
	return nil
}

// MarshalJSON writes the options and the module's name.
func (s *SchemePreset) MarshalJSON() ([]byte, error) {
	members := map[string]string{"name": s.name}
	maps.Copy(members, s.options)
	return json.Marshal(members)
}

// checkScheme reports scheme options that can't work, without knowing the secrets that are placeholders.
// Secrets are checked where all are written out.
func checkScheme(c config.Receiver, secretsKnown bool) error {
	if !secretsKnown {
		c.Secrets = []string{"-"}
	}
	err := receiver.CheckScheme(c)
	if !secretsKnown && errors.Is(err, signature.ErrSecret) {
		return nil // about the stand-in
	}
	return err
}

// Caddy writes its short placeholders out before a directive gets to see them. Two of them are also parts of
// the scheme hmac's payload template.
var schemeTemplate = strings.NewReplacer(
	"{http.request.method}", "{method}",
	"{http.request.uri.query}", "{query}",
)

// Interface guards
var (
	_ caddy.Module     = (*SchemePreset)(nil)
	_ Scheme           = (*SchemePreset)(nil)
	_ json.Marshaler   = (*SchemePreset)(nil)
	_ json.Unmarshaler = (*SchemePreset)(nil)
)
