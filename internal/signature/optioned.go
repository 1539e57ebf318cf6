package signature

import (
	"strings"
)

// newOptioned builds a scheme whose row has options of its own: a header, a hash, an encoding, a place for the ID.
func newOptioned(preset *row, c Config) (scheme, error) {
	r := *preset
	o := optionReader{options: c.Options}
	o.signature(&r)
	o.time(&r)
	o.event(&r)
	o.hash(&r)
	if o.err != nil {
		return nil, o.err
	}
	if _, ok := c.Options["payload"]; ok {
		if err := r.coherent(c); err != nil {
			return nil, err
		}
	}
	if (r.tsHeader != "") != strings.Contains(r.template, "{t}") {
		return nil, badOption("payload", "{t} and timestamp_header belong together")
	}
	return newGeneric(&r, c)
}

var timeUnits = []string{string(unitSeconds), string(unitMillis), "auto", string(unitRFC3339), string(unitISO), string(unitHTTPDate)}

// hash reads the option alg into a row of a scheme that has it.
func (o *optionReader) hash(r *row) {
	switch r.name {
	case "kaltura", "cloudinary":
		values := map[string][]string{"kaltura": {"sha256", "sha1", "sha384", "sha512", "md5"}, "cloudinary": {"sha1", "sha256"}}[r.name]
		r.alg = algorithm(o.choice("alg", string(r.alg), values...))
	case "websub":
		r.alg = algorithm(o.choice("alg", string(r.alg), "sha1", "sha256", "sha384", "sha512"))
		r.prefix = string(r.alg) + "="
	case "rsa":
		r.alg = map[string]algorithm{"sha1": algRSA1, "sha256": algRSA256, "sha512": algRSA512}[o.choice("alg", "sha256", "sha256", "sha512", "sha1")]
	case "ecdsa":
		r.alg = map[string]algorithm{"sha1": algECDSA1, "sha256": algECDSA}[o.choice("alg", "sha256", "sha256", "sha1")]
	case "ed25519":
		o.choice("alg", "ed25519", "ed25519")
	}
}

// newPusher requires the app key of the option key, where it is set, in the header that names the app.
func newPusher(preset *row, c Config) (scheme, error) {
	r := *preset
	if name, ok := c.Options["key"]; ok {
		if name == "" {
			return nil, badOption("key", "it is empty")
		}
		r.fixed = []fixedHeader{{"X-Pusher-Key", name}}
	}
	return newGeneric(&r, c)
}

// newSupabase accepts secrets as Supabase shows them: `v1,whsec_…`, several joined by a bar.
func newSupabase(r *row, c Config) (scheme, error) {
	var secrets []string
	for _, text := range c.Secrets {
		for secret := range strings.SplitSeq(text, "|") {
			secrets = append(secrets, strings.TrimPrefix(secret, "v1,"))
		}
	}
	c.Secrets = secrets
	return newGeneric(r, c)
}
