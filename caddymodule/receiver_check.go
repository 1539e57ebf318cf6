package caddymodule

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/signature"
)

// check finds what no single option shows.
func (p *receiverParser) check() error {
	r := p.receiver
	if len(r.Secrets) == 0 && !signature.Keyless(cmp.Or(p.scheme, defaultScheme)) {
		return errors.New("secret: give at least one; without it nothing can be verified")
	}
	scheme := &SchemePreset{name: cmp.Or(p.scheme, defaultScheme), options: p.schemeOptions}
	if _, err := caddy.GetModule(schemeNamespace + "." + scheme.name); err != nil {
		return fmt.Errorf("scheme: there is no scheme %q; there are %s", scheme.name, strings.Join(modulesBelow(schemeNamespace), ", "))
	}
	values := new(resolver)
	c, err := r.convert(values, scheme)
	if err != nil {
		return err
	}
	known := p.standIns(c)
	if err := p.checkScheme(known, len(c.Secrets) == len(r.Secrets)); err != nil {
		var both *config.Conflict
		if len(known.SchemeOptions) == len(c.SchemeOptions) || errors.As(err, &both) {
			return err // with options that are not known yet, only what is so whatever their values are
		}
	}
	// From here on, a placeholder stands for a good value.
	c.Secrets = r.Secrets
	if c.Name = r.Name; hasPlaceholder(r.Name) {
		c.Name = "placeholder"
	}
	if err := c.Validate(); err != nil {
		return err
	}
	if err := p.checkStore(&c); err != nil {
		return err
	}
	if r.SchemeRaw, err = json.Marshal(scheme); err != nil {
		return err
	}
	return p.checkQueues()
}

// standIns puts good values where placeholders leave none: that an option is there is known before its value is.
func (p *receiverParser) standIns(c config.Receiver) config.Receiver {
	if hasPlaceholder(p.receiver.URL) {
		c.URL = "https://hooks.example.com/webhooks"
	}
	if hasPlaceholder(p.receiver.Challenge) {
		c.Challenge = "-"
	}
	c.SchemeOptions = maps.Clone(c.SchemeOptions)
	maps.DeleteFunc(c.SchemeOptions, func(option, value string) bool { return value == "" && p.schemeOptions[option] != "" })
	return c
}

// adaptedQueue is a queue of the Caddyfile that is being adapted.
type adaptedQueue struct{ shape, place string }

// checkQueues compares the receiver's queue with that of the same name which was read before.
func (p *receiverParser) checkQueues() error {
	shape, err := p.receiver.queueShape()
	if err != nil || shape == "" {
		return err
	}
	key := "webhook_receiver queue " + p.receiver.Name
	if other, ok := p.State[key].(adaptedQueue); ok && other.shape != shape {
		return differentQueues(p.receiver.Name, "the queue at "+other.place)
	}
	at := p.given["queue"].again()
	p.State[key] = adaptedQueue{shape, fmt.Sprintf("%s:%d", at.File(), at.Line())}
	return nil
}

// checkScheme reports what the scheme can't work with, and finds the option to blame: the one without which the
// complaint is another.
func (p *receiverParser) checkScheme(c config.Receiver, secretsKnown bool) error {
	err := checkScheme(c, secretsKnown)
	if err == nil {
		return nil
	}
	for _, o := range p.lines {
		without := c
		without.SchemeOptions = maps.Clone(c.SchemeOptions)
		delete(without.SchemeOptions, o.name)
		if other := checkScheme(without, secretsKnown); other == nil || other.Error() != err.Error() {
			p.culprit = o
			break
		}
	}
	return err
}

// checkStore looks into the global option webhooks of the same Caddyfile.
func (p *receiverParser) checkStore(c *config.Receiver) error {
	var app App
	if global, ok := p.Option("webhooks").(httpcaddyfile.App); ok {
		if err := json.Unmarshal(global.Value, &app); err != nil {
			return err
		}
	}
	redis := app.Redis.convert(new(resolver))
	// A placeholder may stand for the word memory.
	inMemory := redis.InMemory() || hasPlaceholder(app.Redis.URL)
	return checkStore(c, inMemory, app.Redis.omitted())
}
