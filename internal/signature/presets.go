package signature

import (
	"sync"
	"time"
)

// presets is the table of schemes. A scheme that the parameters can express is one row here and nothing else.
// Evidence for each is its provider's documentation or official library; what no library does (exactly one signature
// where no rotation is documented, a window in both directions) is on the safe side.
var presets = []row{
	{
		name: "videocloud", provider: "VideoCloud", header: "X-VideoCloud-Signature", enc: encLowerHex,
		idHeaders: []string{"webhook-id", "X-VideoCloud-Event-Id"}, eventJSON: []string{"/event"}, tsHeader: "webhook-timestamp",
		options: []string{"brand"},
		how:     "body; with the Standard Webhooks headers also `{id}.{t}.{body}`",
		note:    "A sender without the `webhook-*` headers gives neither a timestamp nor a signed ID; `require_timestamp` refuses it.",
	},
	{
		name: "standard", provider: "Standard Webhooks", aliases: []string{"standard-webhooks"}, header: "webhook-signature",
		syntax: versions, sigKey: "v1", multi: true, enc: encBase64, secret: secWhsec, template: "{id}.{t}.{body}", tsHeader: "webhook-timestamp",
		idHeaders: []string{"webhook-id"}, eventJSON: []string{"/type"},
		secretIs: "`whsec_` and base64 (v1), or `whpk_` and the public key in base64 (v1a)",
	},
	{
		name: "standard-v1a", provider: "Standard Webhooks, asymmetric only", aliases: []string{"standard-webhooks-v1a"}, header: "webhook-signature",
		syntax: versions, sigKey: "v1a", multi: true, alg: algEd25519, enc: encBase64, template: "{id}.{t}.{body}", tsHeader: "webhook-timestamp",
		idHeaders: []string{"webhook-id"}, eventJSON: []string{"/type"},
		secretIs: "`whpk_` and the public key in base64",
	},
	{
		name: "github", provider: "GitHub", header: "X-Hub-Signature-256", prefix: "sha256=",
		idHeaders: []string{"X-GitHub-Delivery"}, eventHeader: "X-GitHub-Event",
	},
	{
		name: "stripe", provider: "Stripe", header: "Stripe-Signature",
		syntax: list, sep: ',', tsKey: "t", sigKey: "v1", multi: true, template: "{t}.{body}",
		idJSON: "/id", eventJSON: []string{"/type"}, secretIs: "the whole text, `whsec_` included",
	},
	{
		name: "paddle", provider: "Paddle", header: "Paddle-Signature",
		syntax: list, sep: ';', tsKey: "ts", sigKey: "h1", multi: true, template: "{t}:{body}", tolerance: 5 * time.Second,
		idJSON: "/event_id", eventJSON: []string{"/event_type"},
	},
}

// specials are the schemes that need more than their row says.
var specials = map[string]func(*row, Config) (scheme, error){
	"videocloud": newVideoCloud,
}

// table finds presets by name and alias.
var table = sync.OnceValue(func() map[string]*row {
	byName := map[string]*row{}
	for _, preset := range presets {
		r := preset.complete()
		for _, name := range append([]string{r.name}, r.aliases...) {
			byName[name] = r
		}
	}
	return byName
})

func find(name string) (*row, bool) {
	r, ok := table()[name]
	return r, ok
}
