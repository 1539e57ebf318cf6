package signature

import "time"

// presetsVideo are video platforms and media services.
var presetsVideo = []row{
	{
		name: "mux", provider: "Mux", source: "mux-node-sdk, docs.mux.com, 2026-11", header: "Mux-Signature",
		syntax: list, sep: ',', tsKey: "t", sigKey: "v1", several: true, template: "{t}.{body}",
		idJSON: "/id", eventJSON: []string{"/type"},
	},
	{
		name: "cloudflare-stream", provider: "Cloudflare Stream", source: "developers.cloudflare.com, 2026-11", header: "Webhook-Signature",
		syntax: list, sep: ',', tsKey: "time", sigKey: "sig1", template: "{t}.{body}",
		eventJSON: []string{"/status/state"},
		note:      "There is no event ID: two notices with equal bodies are one.",
	},
	{
		name: "livepeer", provider: "Livepeer", source: "docs.livepeer.org, 2026-11", header: "Livepeer-Signature",
		syntax: list, sep: ',', tsKey: "t", sigKey: "v1", unit: unitEither, tsJSON: "/timestamp", jsonUnit: unitEither,
		idJSON: "/id", eventJSON: []string{"/event"},
		note: "The `t` of the header is not signed; the `timestamp` in the body counts, and `t` has to be the same. Only in a body without one does `t` count, and protects nothing.",
	},
	{
		name: "bunny-stream", provider: "Bunny Stream", source: "docs.bunny.net, third-party verifiers, 2026-11", noDigest: true, identity: "nothing: a notice says only which video and which status, and a video comes to a status more than once; each is let through", header: "X-BunnyStream-Signature",
		secretHelp: "the library's read-only API key",
	},
	{
		name: "livekit", provider: "LiveKit", source: "livekit server SDKs, 2026-11", header: "Authorization", alg: algJWT, idJSON: "/id", eventJSON: []string{"/event"},
		jwt:     &jwtRules{algs: hs256, bodyHash: "sha256", hashEnc: encAnyBase64, mustExpire: true, issuerOption: "api_key"},
		options: []string{"api_key", "secret_encoding"}, secretHelp: "the API secret",
		signs: "a JWT (HS256) whose claim `sha256` is the hash of the body; `nbf` and `exp` bound its age, whatever `tolerance` says",
		note:  "Without the option `api_key` a token of any issuer with this secret is taken.",
	},
	{
		name: "cloudinary", provider: "Cloudinary", source: "cloudinary libraries, 2026-11", header: "X-Cld-Signature", plainHash: true, alg: algSHA1, template: "{body}{t}{secret}",
		tsHeader: "X-Cld-Timestamp", tolerance: 2 * time.Hour, pastOnly: true, eventJSON: []string{"/notification_type"},
		options: []string{"alg"}, secretHelp: "the API secret",
		note: "A plain SHA-1 (with `alg sha256` SHA-256), not an HMAC. A timestamp in the future is accepted, as Cloudinary does: such a request never ages. The timestamp follows the body without a separator, so digits can move between them where a body ends in one.",
	},
	{
		name: "zoom", provider: "Zoom", source: "zoom/webhook-sample, 2026-11", header: "x-zm-signature", prefix: "v0=", template: "v0:{t}:{body}",
		tsHeader: "x-zm-request-timestamp", eventJSON: []string{"/event"}, handshake: handshakeZoom,
		note: "There is no event ID: two events with equal bodies, `event_ts` included, are one.",
	},
	{
		name: "twitch", provider: "Twitch EventSub", source: "twitch-cli, dev.twitch.tv, 2026-11", header: "Twitch-Eventsub-Message-Signature", prefix: "sha256=", template: "{id}{t}{body}",
		tsHeader: "Twitch-Eventsub-Message-Timestamp", unit: unitRFC3339, tolerance: 10 * time.Minute,
		idHeaders: []string{"Twitch-Eventsub-Message-Id"}, eventJSON: []string{"/subscription/type"}, handshake: handshakeTwitch,
	},
}
