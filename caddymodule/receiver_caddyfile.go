package caddymodule

import (
	"fmt"
	"strings"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/videocloud/webhooks/config"
)

func init() {
	httpcaddyfile.RegisterDirective("webhook_receiver", parseReceiverRoute)
	httpcaddyfile.RegisterDirectiveOrder("webhook_receiver", httpcaddyfile.After, "forward_auth")
}

// parseReceiverRoute reads the directive with its matcher, as Caddy does for every handler, and warns of what a matcher leaves open.
func parseReceiverRoute(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	h.Next()
	place := fmt.Sprintf("%s:%d", h.File(), h.Line())
	matcher, err := h.ExtractMatcherSet()
	if err != nil {
		return nil, err
	}
	if len(matcher) > 0 {
		caddy.Log().Named("caddyfile").Warn("webhook_receiver has a matcher: a request that it does not match goes on to the handlers behind it unverified, "+
			"to a reverse_proxy say; put both into handle <matcher> { ... }", zap.String("place", place))
	}
	handler, err := parseReceiver(h)
	if err != nil {
		return nil, err
	}
	return h.NewRoute(matcher, handler), nil
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
	p := receiverParser{Helper: h, receiver: new(Receiver), given: written{}}
	directive := newOption(caddyfile.Segment{h.Token()})
	if h.NextArg() {
		if p.scheme = h.Val(); p.scheme == "" {
			return nil, h.Err("scheme is empty; give it a value, or leave it out")
		}
		p.receiver.Secrets = h.RemainingArgs()
		notePlaces(p.receiver.Secrets, h.File(), directive.Line())
	}
	if err := parseBlock(h.Dispenser, p.given.note(p.options().read), "allow", "secret"); err != nil {
		return nil, err
	}
	if err := p.check(); err != nil {
		if at := p.culprit; at != nil {
			return nil, at.wrap(err)
		}
		return nil, p.given.wrap(directive, err)
	}
	return p.receiver, nil
}

type receiverParser struct {
	httpcaddyfile.Helper
	receiver      *Receiver
	scheme        string
	schemeOptions map[string]string
	lines         []option // of the scheme's options
	given         written
	culprit       *option // the option that an error of check is about, where that is known
}

// options are what the directive's block may hold.
func (p *receiverParser) options() block {
	r := p.receiver
	return block{
		"name":              p.readName,
		"scheme":            p.readScheme,
		"secret":            func(o option) error { return o.words(&r.Secrets) },
		"tolerance":         p.readTolerance,
		"require_timestamp": func(o option) error { return o.flag(&r.RequireTimestamp) },
		"url":               func(o option) error { return o.word(&r.URL) },
		"allow":             p.readAllow,
		"max_size":          func(o option) error { return o.size(&r.MaxSize) },
		"read_timeout":      func(o option) error { return o.duration(&r.ReadTimeout) },
		"max_unfinished":    func(o option) error { return o.size(&r.MaxUnfinished) },
		"methods":           p.readMethods,
		"challenge":         func(o option) error { return o.word(&r.Challenge) },
		"dedup":             p.readDedup,
		"queue":             p.readQueue,
		"dry_run":           func(o option) error { return o.flag(&r.DryRun) },
	}
}

func (p *receiverParser) readTolerance(o option) error {
	var text string
	if err := o.word(&text); err != nil {
		return err
	}
	if text == "off" {
		return o.flag(&p.receiver.ToleranceOff)
	}
	return o.parseDuration(text, config.ShortestTolerance, &p.receiver.Tolerance)
}

func (p *receiverParser) readName(o option) error {
	if err := o.word(&p.receiver.Name); err != nil {
		return err
	}
	if hasPlaceholder(p.receiver.Name) {
		return nil
	}
	return o.wrap(checkAlone(config.Receiver{Name: p.receiver.Name}))
}

// checkAlone checks settings that are all that is known of a receiver so far.
func checkAlone(c config.Receiver) error {
	c.Secrets = []string{"-"}
	c.SetDefaults()
	return c.Validate()
}

func (p *receiverParser) readScheme(o option) error {
	if p.scheme != "" {
		return o.Err("scheme is given twice, first on the line of the directive")
	}
	if err := o.word(&p.scheme); err != nil {
		return err
	}
	p.schemeOptions = map[string]string{}
	return parseBlock(o.Dispenser, func(o option) error {
		var value string
		if err := o.text(&value); err != nil {
			return err
		}
		p.schemeOptions[o.name] = schemeTemplate.Replace(value)
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
		p.receiver.Allow = append(p.receiver.Allow, addresses...)
		_, err = parseNetworks("allow", new(resolver).all("allow", addresses))
		return o.wrap(err)
	}
	id := "http.ip_sources." + first
	if _, err := caddy.GetModule(id); err != nil {
		return o.Errf("allow: %q is neither an IP address, nor a CIDR, nor one of the http.ip_sources modules, which are %s",
			first, strings.Join(modulesBelow("http.ip_sources"), ", "))
	}
	module, err := caddyfile.UnmarshalModule(o.Dispenser, id)
	if err != nil {
		return err
	}
	if _, err := ipSource(module); err != nil {
		return o.wrap(err)
	}
	p.receiver.AllowSourcesRaw = append(p.receiver.AllowSourcesRaw, caddyconfig.JSONModuleObject(module, "source", first, nil))
	return nil
}

func (p *receiverParser) readMethods(o option) error {
	if err := o.words(&p.receiver.Methods); err != nil {
		return err
	}
	return o.wrap(config.CheckMethods(p.receiver.Methods))
}

func (p *receiverParser) readDedup(o option) error {
	d := new(Dedup)
	p.receiver.Dedup = d
	if o.CountRemainingArgs() > 0 {
		return o.switchedBy(&d.Off, "off")
	}
	given := written{}
	err := parseBlock(o.Dispenser, given.note(func(o option) error {
		return readAlone(o, d, (*Dedup).options, func(alone *Dedup) error { return checkAlone(config.Receiver{Dedup: alone.convert()}) })
	}))
	if err != nil {
		return err
	}
	if at, ok := given["on_store_error"]; ok {
		p.given[at.name] = at
	}
	return given.wrap(o, d.check())
}

func (d *Dedup) options() block {
	return block{
		"off": func(o option) error { return o.flag(&d.Off) },
		"id": func(o option) error {
			var place string
			if err := o.choice(&place, "header", "json"); err != nil {
				return err
			}
			if place == "header" {
				return o.word(&d.IDHeader)
			}
			return o.word(&d.IDPointer)
		},
		"digest":  func(o option) error { return o.switchedBy(&d.DigestOff, "off") },
		"ttl":     func(o option) error { return o.duration(&d.TTL) },
		"lease":   func(o option) error { return o.duration(&d.Lease) },
		"timeout": func(o option) error { return o.duration(&d.Timeout) },
		"on_store_error": func(o option) error {
			return o.choice(&d.OnStoreError, config.OnStoreErrorLocal, config.OnStoreErrorReject)
		},
	}
}

func (p *receiverParser) readQueue(o option) error {
	q := new(Queue)
	p.receiver.Queue = q
	if err := o.noArgs(); err != nil {
		return err
	}
	given := written{}
	err := parseBlock(o.Dispenser, given.note(block{
		"retry":       func(o option) error { return o.durations(&q.Retry) },
		"timeout":     func(o option) error { return o.duration(&q.Timeout) },
		"concurrency": func(o option) error { return o.number(&q.Concurrency, 1) },
		"max_length":  func(o option) error { return o.number(&q.MaxLength, 1) },
		"ordered":     func(o option) error { return o.flag(&q.Ordered) },
		"deliver":     p.readDeliver,
	}.read), "deliver")
	if err != nil {
		return err
	}
	if err := checkAlone(config.Receiver{Name: "-", Queue: q.convert()}); err != nil {
		return given.wrap(o, err)
	}
	return o.wrap(q.checkDeliveries())
}

// modulesBelow lists the modules of a namespace by their own names.
func modulesBelow(namespace string) []string {
	var names []string
	for _, m := range caddy.GetModules(namespace) {
		names = append(names, m.ID.Name())
	}
	return names
}
