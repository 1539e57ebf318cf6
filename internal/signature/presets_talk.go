package signature

import "time"

// presetsTalk are messages, files and social networks.
var presetsTalk = []row{
	{
		name: "slack", provider: "Slack", source: "slack-go, python-slack-sdk, 2026-11", header: "X-Slack-Signature", prefix: "v0=", template: "v0:{t}:{body}",
		tsHeader: "X-Slack-Request-Timestamp", idJSON: "/event_id", eventJSON: []string{"/event/type", "/type"}, handshake: handshakeSlack,
		secretHelp: "the signing secret", note: "Slash commands have no event ID.",
	},
	{
		name: "discord", provider: "Discord", source: "discord.com/developers, 2026-11", aliases: []string{"discord-interactions", "discord-events"}, header: "X-Signature-Ed25519", alg: algEd25519,
		template: "{t}{body}", tsHeader: "X-Signature-Timestamp", idJSON: "/id", eventJSON: []string{"/event/type"}, handshake: handshakeDiscord,
		secretHelp: "the application's public key in hexadecimal",
	},
	{
		name: "twilio", provider: "Twilio", source: "twilio-go, twilio-node (WebhookSignatureValidation.md), 2026-11", repeatsRequests: twilioRepeatsRequests, userInfo: true, identity: "the octets of URL and fields, or `I-Twilio-Idempotency-Token`; a call asks the same URL with the same fields again and again, so where `CallSid` is one of them and the token is there, the token alone", header: "X-Twilio-Signature", alg: algSHA1, enc: encBase64, template: "{url}{form}",
		urls: twilioURLs, form: twilioForm, idHeaders: []string{"I-Twilio-Idempotency-Token"}, secretHelp: "the auth token; for a webhooks rule the shared key, which signs with SHA-256",
		signs: "the URL and the form fields, sorted; for other bodies the URL, whose `bodySHA256` is the hash of the body",
		note:  "Field names and values are joined without separators: characters can move between neighbouring fields.",
	},
	{
		name: "sendgrid", provider: "Twilio SendGrid", source: "sendgrid-go, 2026-11", header: "X-Twilio-Email-Event-Webhook-Signature", alg: algECDSA, enc: encBase64, template: "{t}{body}",
		tsHeader: "X-Twilio-Email-Event-Webhook-Timestamp", secretHelp: "the verification key, in base64",
		note: "A request carries several events and has no ID of its own.",
	},
	{
		name: "mailgun", provider: "Mailgun", source: "documentation.mailgun.com, 2026-11", tsJSON: "/signature/timestamp", idJSON: "/signature/token",
		eventJSON: []string{"/event-data/event"}, secretHelp: "the HTTP webhook signing key",
		signs: "`timestamp` and `token`, which stand with their signature in the body's `signature`, or are fields of the form",
		note:  "The event itself is not signed: whoever sees one request can replace its `event-data`, once, within the tolerance. Mailgun's addresses belong on the allowlist.",
	},
	{
		name: "line", provider: "LINE", source: "line-bot-sdk, 2026-11", header: "X-Line-Signature", enc: encBase64, secretHelp: "the channel secret",
		note: "A request carries several events and has no ID of its own.",
	},
	{
		name: "messagebird", provider: "MessageBird (old signature)", source: "messagebird libraries, 2026-11", header: "MessageBird-Signature", enc: encBase64, template: "{t}\n{query}\n{body_sha256}",
		tsHeader: "MessageBird-Request-Timestamp", tolerance: 2500 * time.Millisecond,
		note: "Of the URL only the query is signed.",
	},
	{
		name: "plivo-v2", provider: "Plivo, version 2", source: "plivo libraries, 2026-11", header: "X-Plivo-Signature-V2", enc: encBase64, template: "{url_path}{id}",
		idHeaders: []string{"X-Plivo-Signature-V2-Nonce"}, secretHelp: "the auth token",
		note: "The body and the query are not signed; use plivo-v3. The signed nonce serves as the ID: a retry with another nonce is another event.",
	},
	{
		name: "plivo-v3", provider: "Plivo", source: "plivo libraries, 2026-11", header: "X-Plivo-Signature-V3", syntax: values, sep: ',', several: true, enc: encBase64, template: "{form}.{id}",
		form: plivoForm, idHeaders: []string{"X-Plivo-Signature-V3-Nonce"}, secretHelp: "the auth token",
		signs: "the URL with query and form fields, sorted, and the nonce",
		note:  "Field names and values of a POST are joined without separators: characters can move between neighbouring fields. The signed nonce serves as the ID: a retry with another nonce is another event.",
	},
	{
		name: "dropbox", provider: "Dropbox", source: "third party (npm hapi-dropbox-webhooks), 2026-11", noDigest: true, identity: "nothing: a notice says only whose files changed, so that all of one account are alike; each is let through", header: "X-Dropbox-Signature", handshake: handshakeEcho, secretHelp: "the app secret",
	},
	{
		name: "box", provider: "Box", source: "box libraries, 2026-11", header: "box-signature-primary", enc: encBase64, template: "{body}{t}",
		tsHeader: "box-delivery-timestamp", unit: unitRFC3339, tolerance: 10 * time.Minute, idJSON: "/id", idHeaders: []string{"box-delivery-id"}, eventJSON: []string{"/trigger"},
		fixed:      []fixedHeader{{"box-signature-version", "1"}, {"box-signature-algorithm", "HmacSHA256"}},
		secretHelp: "the primary key; a second secret is the secondary key, for `box-signature-secondary`",
	},
	{
		name: "meta", provider: "Meta, WhatsApp, Instagram", source: "WhatsApp's Node.js SDK, third party, 2026-11", header: "X-Hub-Signature-256", prefix: "sha256=", handshake: handshakeMeta, telltale: "/entry",
		eventJSON: []string{"/object"}, secretHelp: "the app secret", note: "A request carries several events and has no ID of its own.",
	},
	{
		name: "x-twitter", provider: "X", source: "third party: frain-dev/convoy, 2026-11", header: "X-Twitter-Webhooks-Signature", prefix: "sha256=", enc: encBase64, handshake: handshakeCRC,
		secretHelp: "the consumer secret",
		note:       "X's check signs a text that anyone may send, so only short texts of letters and digits are signed, which no event is. Use the secret for nothing else.",
	},
	{
		name: "notion", provider: "Notion", source: "developers.notion.com as quoted by third parties, 2026-11", header: "X-Notion-Signature", prefix: "sha256=", idJSON: "/id", eventJSON: []string{"/type"},
		secretHelp: "the verification token, which Notion sends once, unsigned, when the subscription is made: read it with `caddy webhook listen`, or let it through to the app with `dry_run`",
	},
}
