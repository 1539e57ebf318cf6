package caddymodule

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/signature"
)

func init() {
	httpcaddyfile.RegisterHandlerDirective("webhook_receiver", parseReceiver)
	httpcaddyfile.RegisterDirectiveOrder("webhook_receiver", httpcaddyfile.After, "forward_auth")
}

// parseReceiver reads the directive. Syntax:
//
//	webhook_receiver [<matcher>] [<scheme> <secret...>] {
//		name              <word>
//		scheme            <name> [{ <option> <value> }]
//		secret            <secret...>
//		tolerance         <duration>|off
//		require_timestamp
//		url               <public url>
//		allow             <ip|cidr...>
//		allow             <ip_source> [<args...>]
//		max_size          <size>
//		read_timeout      <duration>
//		max_unfinished    <size>
//		methods           <method...>
//		challenge         <verify token>
//		dedup             off|{ <options> }
//		queue             { <options> }
//		dry_run
//	}
func parseReceiver(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	h.Next()
	p := receiverParser{Helper: h, receiver: new(Receiver)}
	directive := newOption(caddyfile.Segment{h.Token()})
	if h.NextArg() {
		p.scheme = h.Val()
		p.receiver.Secrets = h.RemainingArgs()
	}
	if err := parseBlock(h.Dispenser, p.readOption, "allow", "secret"); err != nil {
		return nil, err
	}
	if err := p.check(); err != nil {
		if at := p.culprit; at != nil {
			return nil, at.wrap(err)
		}
		return nil, directive.wrap(err)
	}
	return p.receiver, nil
}

type receiverParser struct {
	httpcaddyfile.Helper
	receiver *Receiver
	scheme   string
	options  map[string]string
	lines    []option // of the scheme's options
	culprit  *option  // the option that an error of check is about, where that is known
}

func (p *receiverParser) readOption(o option) error {
	r := p.receiver
	switch o.name {
	case "name":
		return p.readName(o)
	case "scheme":
		return p.readScheme(o)
	case "secret":
		return o.words(&r.Secrets)
	case "tolerance":
		var text string
		if err := o.word(&text); err != nil {
			return err
		}
		if text == "off" {
			return o.flag(&r.ToleranceOff)
		}
		return o.parseDuration(text, 1, &r.Tolerance)
	case "require_timestamp":
		return o.flag(&r.RequireTimestamp)
	case "url":
		return o.word(&r.URL)
	case "allow":
		return p.readAllow(o)
	case "max_size":
		return o.size(&r.MaxSize)
	case "read_timeout":
		return o.duration(&r.ReadTimeout)
	case "max_unfinished":
		return o.size(&r.MaxUnfinished)
	case "methods":
		return p.readMethods(o)
	case "challenge":
		return o.word(&r.Challenge)
	case "dedup":
		r.Dedup = new(Dedup)
		return r.Dedup.unmarshalCaddyfile(o)
	case "queue":
		return p.readQueue(o)
	case "dry_run":
		return o.flag(&r.DryRun)
	default:
		return o.unknown()
	}
}

func (p *receiverParser) readName(o option) error {
	if err := o.word(&p.receiver.Name); err != nil {
		return err
	}
	if hasPlaceholder(p.receiver.Name) {
		return nil
	}
	c := config.Receiver{Name: p.receiver.Name, Secrets: []string{"-"}}
	c.SetDefaults()
	if err := c.Validate(); err != nil {
		return o.wrap(err)
	}
	return nil
}

func (p *receiverParser) readScheme(o option) error {
	if p.scheme != "" {
		return o.Err("scheme is given twice, first on the line of the directive")
	}
	if err := o.word(&p.scheme); err != nil {
		return err
	}
	p.options = map[string]string{}
	return parseBlock(o.Dispenser, func(o option) error {
		var value string
		if err := o.word(&value); err != nil {
			return err
		}
		p.options[o.name] = schemeTemplate.Replace(value)
		p.lines = append(p.lines, o)
		return nil
	})
}

// readAllow reads addresses, or an http.ip_sources module: whatever is no address must be one.
func (p *receiverParser) readAllow(o option) error {
	var first string
	if err := o.word(&first); err != nil {
		return err
	}
	if _, err := parseNetworks("allow", []string{first}); err == nil || hasPlaceholder(first) || strings.ContainsAny(first, ":/") {
		addresses := append([]string{first}, o.RemainingArgs()...)
		if _, err := parseNetworks("allow", new(resolver).all("allow", addresses)); err != nil {
			return o.wrap(err)
		}
		p.receiver.Allow = append(p.receiver.Allow, addresses...)
		return nil
	}
	id := "http.ip_sources." + first
	if _, err := caddy.GetModule(id); err != nil {
		return o.Errf("allow: %q is neither an IP address, nor a CIDR, nor one of the http.ip_sources modules", first)
	}
	module, err := caddyfile.UnmarshalModule(o.Dispenser, id)
	if err != nil {
		return err
	}
	if _, ok := module.(caddyhttp.IPRangeSource); !ok {
		return o.Errf("allow: module %s is no source of IP ranges", id)
	}
	p.receiver.AllowSourcesRaw = append(p.receiver.AllowSourcesRaw, caddyconfig.JSONModuleObject(module, "source", first, nil))
	return nil
}

var method = regexp.MustCompile(`^[A-Z]{1,32}$`)

func (p *receiverParser) readMethods(o option) error {
	if err := o.words(&p.receiver.Methods); err != nil {
		return err
	}
	for _, m := range p.receiver.Methods {
		if !method.MatchString(m) {
			return o.Errf("methods: %q is not a method such as POST", m)
		}
	}
	return nil
}

func (d *Dedup) unmarshalCaddyfile(o option) error {
	if o.CountRemainingArgs() > 0 {
		d.Off = true
		return o.choice(new(string), "off")
	}
	return parseBlock(o.Dispenser, func(o option) error {
		if err := d.readOption(o); err != nil {
			return err
		}
		// As with the sender's options: alone, what can't work is this line's fault.
		alone := new(Dedup)
		if err := alone.readOption(o.again()); err != nil {
			return err
		}
		c := config.Receiver{Secrets: []string{"-"}, Dedup: alone.convert()}
		c.SetDefaults()
		if err := c.Validate(); err != nil {
			return o.wrap(err)
		}
		return nil
	})
}

func (d *Dedup) readOption(o option) error {
	switch o.name {
	case "off":
		return o.flag(&d.Off)
	case "id":
		var place string
		if err := o.choice(&place, "header", "json"); err != nil {
			return err
		}
		if place == "header" {
			return o.word(&d.IDHeader)
		}
		return o.word(&d.IDPointer)
	case "digest":
		d.DigestOff = true
		return o.choice(new(string), "off")
	case "ttl":
		return o.duration(&d.TTL)
	case "lease":
		return o.duration(&d.Lease)
	case "timeout":
		return o.duration(&d.Timeout)
	case "on_store_error":
		return o.word(&d.OnStoreError)
	default:
		return o.unknown()
	}
}

func (p *receiverParser) readQueue(o option) error {
	q := new(Queue)
	p.receiver.Queue = q
	if err := o.noArgs(); err != nil {
		return err
	}
	err := parseBlock(o.Dispenser, func(o option) error {
		switch o.name {
		case "retry":
			return o.durations(&q.Retry)
		case "timeout":
			return o.duration(&q.Timeout)
		case "concurrency":
			return o.number(&q.Concurrency, 1)
		case "max_length":
			return o.number(&q.MaxLength, 1)
		case "deliver":
			return p.readDeliver(o)
		default:
			return o.unknown()
		}
	})
	if err != nil {
		return err
	}
	if len(q.Deliver) == 0 {
		return o.wrap(errDeliverMissing)
	}
	return nil
}

// readDeliver reads the directives of the block as those of a site.
func (p *receiverParser) readDeliver(o option) error {
	if err := o.noArgs(); err != nil {
		return err
	}
	handler, err := httpcaddyfile.ParseSegmentAsSubroute(p.WithDispenser(o.unread()))
	if err != nil {
		return err
	}
	subroute, ok := handler.(*caddyhttp.Subroute)
	if !ok {
		return o.Errf("deliver: can't be run as routes: %T", handler)
	}
	p.receiver.Queue.Deliver = subroute.Routes
	for o.Next() { // read by the copy
	}
	return nil
}

// check finds what no single option shows.
func (p *receiverParser) check() error {
	r := p.receiver
	if len(r.Secrets) == 0 {
		return errors.New("secret: give at least one; without it nothing can be verified")
	}
	scheme := &SchemePreset{name: cmp.Or(p.scheme, defaultScheme), options: p.options}
	if _, err := caddy.GetModule(schemeNamespace + "." + scheme.name); err != nil {
		return fmt.Errorf("scheme: there is no scheme %q", scheme.name)
	}
	values := new(resolver)
	c, err := r.convert(values, scheme)
	if err != nil {
		return err
	}
	if !values.deferred {
		if err := p.checkScheme(signatureConfig(&c), len(c.Secrets) == len(r.Secrets)); err != nil {
			return err
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
	r.SchemeRaw, err = json.Marshal(scheme)
	return err
}

// checkScheme reports what the scheme can't work with, and finds the option to blame: the one without which the
// complaint is another.
func (p *receiverParser) checkScheme(c signature.Config, secretsKnown bool) error {
	err := checkScheme(c, secretsKnown)
	if err == nil {
		return nil
	}
	for i, o := range p.lines {
		without := c
		without.Options = maps.Clone(c.Options)
		delete(without.Options, o.name)
		if other := checkScheme(without, secretsKnown); other == nil || other.Error() != err.Error() {
			p.culprit = &p.lines[i]
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
