package signature

import (
	"slices"
	"sync"
	"time"
)

// The table of schemes is this file and the other presets_*.go. A scheme that the parameters of a row can express is one
// row and nothing else; [Info] and the documentation are made from it.
//
// Evidence for each row is its provider's documentation or official library. What those leave open (how many
// signatures one header may hold, how far ahead a clock may be) is decided on the safe side: exactly one where no
// rotation is documented, and a window in both directions.

// presetsBasic are our own scheme, the standard one, its relatives, and the scheme whose row is written by the user.
var presetsBasic = []row{
	{
		name: "videocloud", provider: "VideoCloud", source: "VideoCloud's guide", header: "X-VideoCloud-Signature", enc: encLowerHex, tsHeader: "webhook-timestamp",
		idHeaders: []string{"webhook-id", "X-VideoCloud-Event-Id"}, eventJSON: []string{"/event"},
		options: []string{"brand"}, signs: "the body; beside it, where the sender adds them, the `webhook-*` headers sign ID, timestamp and body",
		note: "Without the `webhook-*` headers there is neither a timestamp nor a signed ID; `require_timestamp` refuses such deliveries.",
	},
	{
		name: "standard", provider: "Standard Webhooks", source: "standard-webhooks specification and libraries, 2026-11", aliases: []string{"standard-webhooks"}, header: "webhook-signature",
		syntax: versions, sigKey: "v1", enc: encBase64, secret: secWhsec, template: "{id}.{t}.{body}",
		tsHeader: "webhook-timestamp", idHeaders: []string{"webhook-id"}, eventJSON: []string{"/type"},
		secretHelp: "`whsec_` and base64 (v1), or `whpk_` and the public key in base64 (v1a)",
	},
	{
		name: "standard-v1a", provider: "Standard Webhooks, asymmetric only", source: "standard-webhooks specification, svix-server, 2026-11", aliases: []string{"standard-webhooks-v1a"}, header: "webhook-signature",
		syntax: versions, sigKey: versionAsymmetric, alg: algEd25519, enc: encBase64, template: "{id}.{t}.{body}",
		tsHeader: "webhook-timestamp", idHeaders: []string{"webhook-id"}, eventJSON: []string{"/type"},
		secretHelp: "`whpk_` and the public key in base64",
	},
	{
		name: "svix", provider: "Svix, and who sends with it (Clerk, Resend, Brex)", source: "svix libraries, 2026-11", header: "svix-signature",
		syntax: versions, sigKey: "v1", enc: encBase64, secret: secWhsec, template: "{id}.{t}.{body}",
		tsHeader: "svix-timestamp", idHeaders: []string{"svix-id"}, eventJSON: []string{"/type"},
		secretHelp: "`whsec_` and base64",
	},
	{
		name: "openai", provider: "OpenAI", source: "openai-python, 2026-11", header: "webhook-signature",
		syntax: versions, sep: '\t', sigKey: "v1", unversioned: true, enc: encBase64, secret: secAuto, template: "{id}.{t}.{body}",
		tsHeader: "webhook-timestamp", idHeaders: []string{"webhook-id"}, eventJSON: []string{"/type"},
		secretHelp: "`whsec_` and base64, or any other text as it is",
	},
	{
		name: "hmac", provider: "any provider, described by options", source: "what you write", aliases: []string{"hmac-generic"}, header: "X-Signature",
		options: hmacOptions, signs: "what `payload` says",
		note: "Only what `payload` holds is protected: without `{t}` nothing ages, without `{id}` the ID header is unsigned.",
	},
}

// presetsCode are platforms for code and its operation.
var presetsCode = []row{
	{
		name: "github", provider: "GitHub", source: "docs.github.com, octokit, go-github, 2026-11", noID: true, identity: "the body: repositories, organisations and two apps on one event share `X-GitHub-Delivery`, with bodies of their own", header: "X-Hub-Signature-256", prefix: "sha256=",
		idHeaders: []string{"X-GitHub-Delivery"}, eventHeader: "X-GitHub-Event",
	},
	{
		name: "github-sha1", provider: "GitHub, legacy", source: "docs.github.com, go-github, 2026-11", noID: true, identity: "the body, as for `github`", header: "X-Hub-Signature", prefix: "sha1=", alg: algSHA1,
		idHeaders: []string{"X-GitHub-Delivery"}, eventHeader: "X-GitHub-Event",
	},
	{
		name: "gitlab", provider: "GitLab", source: "docs.gitlab.com, GitLab merge request 230944 (signing token), 2026-11", identity: "`Idempotency-Key`, which is one for an event and its retries; `X-Gitlab-Event-UUID` is shared by all webhooks of a recursion, so it counts for nothing", header: "X-Gitlab-Token", alg: algToken,
		idHeaders: []string{"Idempotency-Key"}, eventHeader: "X-Gitlab-Event", signs: "by a signing token as `standard`, by the secret token nothing", secretHelp: "the signing token (`whsec_…`), which signs as Standard Webhooks does, or the secret token, which is sent as it is",
	},
	{
		name: "bitbucket", provider: "Bitbucket Cloud, Jira", source: "support.atlassian.com, 2026-11", header: "X-Hub-Signature", prefix: "sha256=",
		idHeaders: []string{"X-Request-UUID"}, eventHeader: "X-Event-Key",
	},
	{
		name: "bitbucket-server", provider: "Bitbucket Server", source: "third party: go-playground/webhooks, 2026-11", header: "X-Hub-Signature", prefix: "sha256=",
		idHeaders: []string{"X-Request-Id"}, eventHeader: "X-Event-Key", telltale: "/eventKey",
	},
	{
		name: "gitea", provider: "Gitea, Forgejo", source: "third party: go-playground/webhooks, 2026-11", header: "X-Gitea-Signature",
		idHeaders: []string{"X-Gitea-Delivery"}, eventHeader: "X-Gitea-Event",
	},
	{
		name: "gogs", provider: "Gogs", source: "third party: go-playground/webhooks, 2026-11", header: "X-Gogs-Signature",
		idHeaders: []string{"X-Gogs-Delivery"}, eventHeader: "X-Gogs-Event",
	},
	{
		name: "linear", provider: "Linear", source: "@linear/sdk, 2026-11", header: "Linear-Signature",
		tsJSON: "/webhookTimestamp", jsonUnit: unitMillis, tsHeader: "Linear-Timestamp", unit: unitMillis, tolerance: time.Minute,
		idHeaders: []string{"Linear-Delivery"}, eventJSON: []string{"/type"},
		note: "The timestamp in the body counts; the header `Linear-Timestamp` is not signed and is looked at only where the body has none.",
	},
	{
		name: "pagerduty", provider: "PagerDuty", source: "PagerDuty libraries, 2026-11", header: "X-PagerDuty-Signature",
		syntax: list, sep: ',', sigKey: "v1", several: true, idJSON: "/event/id", eventJSON: []string{"/event/event_type"},
	},
	{name: "vercel", provider: "Vercel", source: "third party, 2026-11", header: "x-vercel-signature", alg: algSHA1, idJSON: "/id", eventJSON: []string{"/type"}},
	{
		name: "scalr", provider: "Scalr", source: "third party, 2026-11", header: "X-Signature", alg: algSHA1, template: "{body}{t}",
		tsHeader: "Date", unit: unitHTTPDate,
	},
	{
		name: "workos", provider: "WorkOS", source: "workos libraries, 2026-11", header: "WorkOS-Signature",
		syntax: list, sep: ',', tsKey: "t", sigKey: "v1", template: "{t}.{body}", unit: unitMillis, tolerance: 3 * time.Minute,
		idJSON: "/id", eventJSON: []string{"/event"}, secretHelp: "the whole text, any `whsec_` included",
	},
	{
		name: "sanity", provider: "Sanity", source: "@sanity/webhook, 2026-11", noDigest: true, identity: "`idempotency-key` alone: the body is a projection that its owner wrote, so that different changes may have equal ones", header: "sanity-webhook-signature", enc: encBase64URL,
		syntax: list, sep: ',', tsKey: "t", sigKey: "v1", template: "{t}.{body}", unit: unitMillis,
		idHeaders: []string{"idempotency-key"},
	},
}

// presets is the whole table.
var presets = slices.Concat(presetsBasic, presetsGeneric, presetsCode, presetsVideo, presetsMedia, presetsTrade, presetsShops, presetsTalk, presetsWork)

// specials are the schemes that need more than their row says.
var specials = map[string]func(*row, Config) (scheme, error){
	"videocloud": newVideoCloud,
	"hmac":       newHMAC,
	"box":        newBox,
	"token":      newOptioned, "basic": newOptioned, "ed25519": newOptioned, "rsa": newOptioned, "ecdsa": newOptioned,
	"cloudinary": newOptioned, "kaltura": newOptioned, "websub": newOptioned, "aftership": newOptioned, "assemblyai": newOptioned,
	"mongodb-atlas": newOptioned, "strava": newOptioned,
	"gitlab": newGitLab, "twilio": newTwilio, "pusher": newPusher, "supabase": newSupabase, "persona": newSets,
	"microsoft-graph": newBodyToken, "meraki": newBodyToken, "figma": newBodyToken,
	"braintree": newBraintree, "hook0": newComposed, "contentful": newContentful, "hygraph": newComposed, "nowpayments": newComposed,
	"ebay": newEBay, "aws-sns": newSNS, "paypal": newPayPal,
	"mailgun":        newMailgun,
	"adyen-standard": newAdyen,
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

// Canonical is a scheme's own name, whatever alias is given. A name that no scheme has stays as it is.
func Canonical(name string) string {
	if r, ok := find(name); ok {
		return r.name
	}
	return name
}

func find(name string) (*row, bool) {
	r, ok := table()[name]
	return r, ok
}
