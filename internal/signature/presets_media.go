package signature

// presetsMedia are video platforms, streams and calls, further ones.
var presetsMedia = []row{
	{
		name: "api-video", provider: "api.video", source: "docs.api.video with its example, 2026-11", header: "X-Api-Video-Signature", eventJSON: []string{"/type"},
		secretHelp: "the whole text, `sig_sec_` included", identity: "the body: `X-Api-Video-WebhookID` is the subscription's",
	},
	{
		name: "wistia", provider: "Wistia", source: "docs.wistia.com as quoted by third parties, 2026-11", header: "X-Wistia-Signature", eventJSON: []string{"/events/0/type"},
		note: "A request carries several events and has no ID of its own.",
	},
	{
		name: "kaltura", provider: "Kaltura", source: "Kaltura's documents, 2026-11", header: "X-KALTURA-SIGNATURE", plainHash: true, template: "{secret}{body}", options: []string{"alg"},
		eventJSON: []string{"/eventType"}, secretHelp: "the notification's `signSecret`; without one Kaltura signs with the partner's admin secret",
		note: "A plain hash, not an HMAC: whoever has one signed body can sign that body with bytes appended. The hash is the option `alg`, whatever `X-KALTURA-HASH-ALGO` says.",
	},
	{
		name: "frameio", provider: "Frame.io", source: "developer.frame.io, 2026-11", header: "X-Frameio-Signature", prefix: "v0=", template: "v0:{t}:{body}",
		tsHeader: "X-Frameio-Request-Timestamp", eventJSON: []string{"/type"},
	},
	{
		name: "daily", provider: "Daily", source: "docs.daily.co, 2026-11", header: "X-Webhook-Signature", enc: encBase64, secret: secBase64, template: "{t}.{body}",
		tsHeader: "X-Webhook-Timestamp", unit: unitEither, idJSON: "/id", eventJSON: []string{"/type"}, secretHelp: "the HMAC secret, in base64",
	},
	{
		name: "agora", provider: "Agora", source: "docs.agora.io with its example, 2026-11", header: "Agora-Signature-V2", idJSON: "/noticeId", eventJSON: []string{"/eventType"},
		note: "A retry has another `notifyMs`, so another body.",
	},
	{
		name: "agora-v1", provider: "Agora, version 1", source: "docs.agora.io with its example, 2026-11", header: "Agora-Signature", alg: algSHA1, idJSON: "/noticeId", eventJSON: []string{"/eventType"},
	},
	{
		name: "kick", provider: "Kick", source: "KickDevDocs, 2026-11", header: "Kick-Event-Signature", alg: algRSA256, enc: encBase64, template: "{id}.{t}.{body}",
		tsHeader: "Kick-Event-Message-Timestamp", unit: unitRFC3339, idHeaders: []string{"Kick-Event-Message-Id"}, eventHeader: "Kick-Event-Type", secretHelp: "Kick's public key in PEM",
		note: "The type stands in a header that is not signed, and Kick signs for all of its customers with one key.",
	},
	{
		name: "tiktok", provider: "TikTok", source: "developers.tiktok.com, 2026-11", header: "TikTok-Signature", syntax: list, sep: ',', tsKey: "t", sigKey: "s", template: "{t}.{body}",
		eventJSON: []string{"/event"}, secretHelp: "the client secret",
	},
	{
		name: "patreon", provider: "Patreon", source: "third party, 2026-11", header: "X-Patreon-Signature", alg: algMD5, eventHeader: "X-Patreon-Event",
		note: "The type stands in a header that is not signed: a captured request can come as another type.",
	},
	{
		name: "websub", provider: "WebSub (YouTube)", source: "w3.org/TR/websub, 2026-11", header: "X-Hub-Signature", prefix: "sha256=", options: []string{"alg", "topic"}, handshake: handshakeWebSub, telltale: "<",
		secretHelp: "the `hub.secret` of the subscription", note: "The hash is the option `alg`, whatever the request says; Google's hub, so YouTube, signs with `alg sha1` only.",
	},
	{
		name: "pusher", provider: "Pusher", source: "pusher-http-go, 2026-11", header: "X-Pusher-Signature", options: []string{"key"}, eventJSON: []string{"/events/0/name"}, secretHelp: "the app's secret",
		note: "The key in `X-Pusher-Key` is not signed; with the option `key` it has to be that one. A request carries several events.",
	},
	{
		name: "telnyx", provider: "Telnyx", source: "telnyx-node, 2026-11", header: "Telnyx-Signature-Ed25519", alg: algEd25519, enc: encBase64, template: "{t}|{body}", tsHeader: "Telnyx-Timestamp",
		idJSON: "/data/id", eventJSON: []string{"/data/event_type"}, secretHelp: "the public key, in base64",
	},
	{
		name: "vonage", provider: "Vonage", source: "vonage-node-sdk, third party, 2026-11", header: "Authorization", alg: algJWT,
		jwt:   &jwtRules{algs: hs256, prefixes: bearer, issuer: []string{"Vonage"}, bodyHash: "payload_hash", checkIssuedAt: true},
		signs: "a JWT (HS256) whose claim `payload_hash` is the hash of the body", secretHelp: "the signature secret",
		note: "Webhooks without the claim, as some products send, are refused: nothing would sign their body.",
	},
	{
		name: "smartcar", provider: "Smartcar", source: "smartcar's node-sdk, 2026-11", header: "SC-Signature", handshake: handshakeSmartcar, eventJSON: []string{"/eventType", "/eventName"},
		secretHelp: "the application management token",
		note:       "The set-up request has the same key sign a text that Smartcar chooses: only short texts of letters and digits are signed, which no event is.",
	},
	{
		name: "telegram", provider: "Telegram", source: "core.telegram.org, 2026-11", header: "X-Telegram-Bot-Api-Secret-Token", alg: algToken, idJSON: "/update_id", secretHelp: "the `secret_token` of setWebhook",
	},
	{
		name: "hook0", provider: "Hook0, Coinbase Developer Platform", source: "hook0's tests, docs.cdp.coinbase.com, 2026-11", header: "X-Hook0-Signature", template: "{t}.{body}", tsKey: "t",
		idHeaders: []string{"X-Event-Id"}, eventHeader: "X-Event-Type", signs: "the time, the headers that `h` lists (names and values), and the body, joined by dots",
		identity: "the body, and the headers that are signed with it; `X-Event-Id` counts where it is one of them",
	},
	{
		name: "aws-sns", providerSigns: true, provider: "Amazon SNS", source: "aws-js-sns-message-validator, 2026-11", alg: algRSA256, enc: encBase64, options: []string{"topic_arn", "certs", "signature_version"}, hosts: []string{snsHost},
		idJSON: "/MessageId", eventJSON: []string{"/Type"}, handshake: handshakeSNS, signs: "the fields of the message, names and values, each on a line",
		secretHelp: "none: the certificate is fetched from `sns.<region>.amazonaws.com`; the option `topic_arn` says whose messages pass",
		note:       "Any topic of anyone is signed by the same keys, so the topic has to be named. Raw delivery has no signature.",
	},
	{
		name: "paypal", providerSigns: true, provider: "PayPal", source: "PayPal-Python-SDK and PayPal-node-SDK, 2026-11", header: "PAYPAL-TRANSMISSION-SIG", alg: algRSA256, enc: encBase64,
		options: []string{"webhook_id", "certs", "cert_pem"}, hosts: []string{paypalHost}, idJSON: "/id", eventJSON: []string{"/event_type"},
		signs:      "ID and time of the transmission, the option `webhook_id`, and the CRC-32 of the body, with | between them",
		identity:   "`PAYPAL-TRANSMISSION-ID` and the CRC-32 of the body, which are signed, or `/id` of the body",
		secretHelp: "none: the certificate is fetched from `api.paypal.com` or `api.sandbox.paypal.com`; the option `webhook_id` says whose messages pass",
		note:       "The body is bound by its CRC-32 alone: whoever has one request can make another body for it, though it counts as the same event. Take the ID from it, and ask PayPal's API for what it says.",
	},
}
