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
	p := receiverParser{Helper: h, receiver: new(Receiver)}
	directive := newOption(caddyfile.Segment{h.Token()})
	if h.NextArg() {
		if p.scheme = h.Val(); p.scheme == "" {
			return nil, h.Err("scheme is empty; give it a value, or leave it out")
		}
		p.receiver.Secrets = h.RemainingArgs()
		notePlaces(p.receiver.Secrets, h.File(), directive.Line())
	}
	var err error
	if p.given, err = parseBlock(h.Dispenser, p.options().read, "allow", "secret"); err != nil {
		return nil, err
	}
	if at, ok := p.inDedup["on_store_error"]; ok {
		p.given[at.name] = at
	}
	p.culprit = directive
	if err := p.check(); err != nil {
		return nil, p.given.wrap(p.culprit, err)
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
	inDedup       written
	culprit       option // what an error of check is about: the directive, where no option is known
}

// options are what the directive's block may hold.
func (p *receiverParser) options() block {
	r := p.receiver
	return block{
		"name":              word(&r.Name).then(p.checkName),
		"scheme":            p.readScheme,
		"secret":            words(&r.Secrets),
		"tolerance":         parsed(&r.Tolerance, p.tolerance),
		"require_timestamp": flag(&r.RequireTimestamp),
		"url":               word(&r.URL),
		"allow":             p.readAllow,
		"max_size":          size(&r.MaxSize),
		"read_timeout":      duration(&r.ReadTimeout),
		"max_unfinished":    size(&r.MaxUnfinished),
		"methods":           words(&r.Methods).then(func() error { return config.CheckMethods(r.Methods) }),
		"challenge":         word(&r.Challenge),
		"dedup":             p.readDedup,
		"queue":             p.readQueue,
		"dry_run":           flag(&r.DryRun),
	}
}

func (p *receiverParser) tolerance(o option, text string) (caddy.Duration, error) {
	if text == "off" {
		p.receiver.ToleranceOff = true
		return 0, nil
	}
	return o.parseDuration(text, config.ShortestTolerance)
}

func (p *receiverParser) checkName() error {
	if hasPlaceholder(p.receiver.Name) {
		return nil
	}
	return checkAlone(config.Receiver{Name: p.receiver.Name})
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
	if err := word(&p.scheme)(o); err != nil {
		return err
	}
	p.schemeOptions = map[string]string{}
	_, err := parseBlock(o.Dispenser, func(o option) error {
		var value string // which may be empty
		if !o.Args(&value) {
			return o.argErr()
		}
		p.schemeOptions[o.name] = schemeTemplate.Replace(value)
		p.lines = append(p.lines, o)
		return nil
	})
	return err
}

// readAllow reads addresses, or an http.ip_sources module: whatever is no address must be one.
func (p *receiverParser) readAllow(o option) error {
	var first string
	if err := word(&first)(o); err != nil {
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

func (p *receiverParser) readDedup(o option) error {
	d := new(Dedup)
	p.receiver.Dedup = d
	if o.CountRemainingArgs() > 0 {
		return switchedBy(&d.Off, "off")(o)
	}
	var err error
	p.inDedup, err = parseBlock(o.Dispenser, func(o option) error {
		return readAlone(o, d, (*Dedup).options, func(alone *Dedup) error { return checkAlone(config.Receiver{Dedup: alone.convert()}) })
	})
	if err != nil {
		return err
	}
	return p.inDedup.wrap(o, d.check())
}

func (d *Dedup) options() block {
	return block{
		"off": flag(&d.Off),
		"id": func(o option) error {
			var place string
			if err := choice(&place, "header", "json")(o); err != nil {
				return err
			}
			if place == "header" {
				return word(&d.IDHeader)(o)
			}
			return word(&d.IDPointer)(o)
		},
		"digest":         switchedBy(&d.DigestOff, "off"),
		"ttl":            duration(&d.TTL),
		"lease":          duration(&d.Lease),
		"timeout":        duration(&d.Timeout),
		"on_store_error": choice(&d.OnStoreError, config.OnStoreErrorLocal, config.OnStoreErrorReject),
	}
}

func (p *receiverParser) readQueue(o option) error {
	q := new(Queue)
	p.receiver.Queue = q
	if o.CountRemainingArgs() > 0 {
		return o.argErr()
	}
	given, err := parseBlock(o.Dispenser, block{
		"retry":       durations(&q.Retry),
		"timeout":     duration(&q.Timeout),
		"concurrency": number(&q.Concurrency, 1),
		"max_length":  number(&q.MaxLength, 1),
		"ordered":     flag(&q.Ordered),
		"deliver":     p.readDeliver,
	}.read, "deliver")
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
