package signature

import (
	"time"

	"github.com/go-jose/go-jose/v4"
)

// The algorithms that tokens are pinned to.
var (
	hs256  = []jose.SignatureAlgorithm{jose.HS256}
	rs256  = []jose.SignatureAlgorithm{jose.RS256}
	rs512  = []jose.SignatureAlgorithm{jose.RS512}
	es256  = []jose.SignatureAlgorithm{jose.ES256}
	bearer = []string{"Bearer "}
)

// presetsWork are offices, customers' service, forms, identity, and what builds and watches software, further ones.
var presetsWork = []row{
	{name: "launchdarkly", provider: "LaunchDarkly", source: "third party, 2026-11", header: "X-LD-Signature", eventJSON: []string{"/kind"}},
	{
		name: "sentry", provider: "Sentry", source: "getsentry's sample integration, 2026-11", header: "Sentry-Hook-Signature", idHeaders: []string{"Request-ID"},
		eventHeader: "Sentry-Hook-Resource", secretHelp: "the integration's client secret", note: "The headers with the resource and the time are not signed.",
	},
	{
		name: "heroku", provider: "Heroku", source: "third party, 2026-11", header: "Heroku-Webhook-Hmac-SHA256", enc: encBase64, eventJSON: []string{"/resource"},
		note: "Without a secret Heroku sends no signature.",
	},
	{
		name: "circleci", provider: "CircleCI", source: "circleci.com/docs with its examples, 2026-11", header: "circleci-signature", syntax: list, sep: ',', sigKey: "v1", idJSON: "/id",
		eventJSON: []string{"/type"}, eventHeader: "circleci-event-type", note: "The list is one of versions, of which v1 is the only one known.",
	},
	{
		name: "terraform-cloud", provider: "Terraform Cloud, HCP Terraform", source: "third party, 2026-11", header: "X-TFE-Notification-Signature", alg: algSHA512,
		eventJSON: []string{"/notifications/0/trigger"}, secretHelp: "the notification's token",
	},
	{
		name: "mongodb-atlas", provider: "MongoDB Atlas", source: "third party, 2026-11", header: "X-MMS-Signature", alg: algSHA1, enc: encBase64, eventHeader: "X-MMS-Event",
		options: []string{"encoding"}, identity: "the body: its `id` is the alert's, which an alert's opening and closing share",
		note: "Ops Manager documents hexadecimal: the option `encoding hex`.",
	},
	{
		name: "webex", provider: "Webex", source: "third party, 2026-11", header: "X-Spark-Signature", alg: algSHA1, eventJSON: []string{"/event"},
		identity: "the body: its `id` is the webhook's, the same for all events",
	},
	{
		name: "autodesk", provider: "Autodesk Platform Services", source: "aps.autodesk.com as quoted by third parties, 2026-11", header: "x-adsk-signature", prefix: "sha1hash=", alg: algSHA1,
		idHeaders: []string{"x-adsk-delivery-id"}, eventJSON: []string{"/hook/event"},
	},
	{
		name: "helpscout", provider: "Help Scout", source: "third party, 2026-11", header: "X-HelpScout-Signature", alg: algSHA1, enc: encBase64, eventHeader: "X-HelpScout-Event",
	},
	{name: "tally", provider: "Tally", source: "third party, 2026-11", header: "Tally-Signature", enc: encBase64, idJSON: "/eventId", eventJSON: []string{"/eventType"}},
	{name: "cal-com", provider: "Cal.com", source: "third party, 2026-11", header: "X-Cal-Signature-256", eventJSON: []string{"/triggerEvent"}},
	{
		name: "cursor", provider: "Cursor", source: "third party: hookdeck/webhook-skills, 2026-11", header: "X-Webhook-Signature", prefix: "sha256=", eventJSON: []string{"/event"},
	},
	{
		name: "nylas", provider: "Nylas", source: "third party, 2026-11", header: "X-Nylas-Signature", idJSON: "/id", eventJSON: []string{"/type"}, handshake: handshakeEcho,
		note: "With `Content-Encoding: gzip` the compressed bytes are signed.",
	},
	{name: "alchemy", provider: "Alchemy", source: "third party, 2026-11", header: "X-Alchemy-Signature", idJSON: "/id", eventJSON: []string{"/type"}},
	{
		name: "asana", provider: "Asana", source: "developers.asana.com, third party, 2026-11", header: "X-Hook-Signature", eventJSON: []string{"/events/0/action"}, noDigest: true,
		secretHelp: "the `X-Hook-Secret` of the set-up request, which Asana sends once, unsigned: read it with `caddy webhook listen`, or let it through to the app with `dry_run`",
		identity:   "nothing: events have no ID, and a heartbeat or the same change of one task is alike; each is let through",
	},
	{
		name: "enode", provider: "Enode", source: "third party, 2026-11", header: "X-Enode-Signature", prefix: "sha1=", alg: algSHA1, eventJSON: []string{"/0/event"},
	},
	{
		name: "airtable", provider: "Airtable", source: "pyairtable's tests, 2026-11", header: "X-Airtable-Content-MAC", prefix: "hmac-sha256=", secret: secBase64,
		secretHelp: "the MAC secret, in base64", identity: "the body, which is a ping without content, but has the time",
	},
	{
		name: "microsoft-teams", provider: "Microsoft Teams (outgoing webhooks)", source: "third party, 2026-11", header: "Authorization", prefix: "HMAC ", enc: encBase64, secret: secBase64,
		idJSON: "/id", eventJSON: []string{"/type"}, secretHelp: "the security token, in base64",
	},
	{
		name: "linkedin", provider: "LinkedIn", source: "third party, 2026-11", header: "X-LI-Signature", template: "hmacsha256={body}", idJSON: "/notificationId", eventJSON: []string{"/type"},
		handshake: handshakeLinkedIn, secretHelp: "the client secret",
	},
	{
		name: "docusign", provider: "DocuSign Connect", source: "developers.docusign.com, 2026-11", header: "X-DocuSign-Signature-*", enc: encBase64, syntax: values, sep: ',', several: true,
		eventJSON: []string{"/event"}, note: "One header for each key, of which any may be right. A retry has another `retryCount`, so another body.",
	},
	{
		name: "buildkite", provider: "Buildkite", source: "buildkite.com/docs, 2026-11", header: "X-Buildkite-Signature", syntax: list, sep: ',', tsKey: "timestamp", sigKey: "signature",
		template: "{t}.{body}", eventJSON: []string{"/event"}, secretHelp: "the webhook's token",
	},
	{
		name: "buildkite-token", provider: "Buildkite (token)", source: "buildkite.com/docs, 2026-11", header: "X-Buildkite-Token", alg: algToken, eventJSON: []string{"/event"},
		secretHelp: "the webhook's token",
	},
	{
		name: "customerio", provider: "Customer.io", source: "customer.io/docs, 2026-11", header: "X-CIO-Signature", template: "v0:{t}:{body}", tsHeader: "X-CIO-Timestamp",
		idJSON: "/event_id", eventJSON: []string{"/metric"},
	},
	{
		name: "front", provider: "Front (applications)", source: "third party, 2026-11", header: "X-Front-Signature", enc: encBase64, template: "{t}:{body}",
		tsHeader: "X-Front-Request-Timestamp", unit: unitEither, idJSON: "/payload/id", eventJSON: []string{"/type"}, handshake: handshakeFront, secretHelp: "the application's secret",
	},
	{
		name: "front-rules", provider: "Front (rules)", source: "third party, 2026-11", header: "X-Front-Signature", alg: algSHA1, enc: encBase64, idJSON: "/payload/id", eventJSON: []string{"/type"},
		secretHelp: "the API secret",
	},
	{
		name: "persona", provider: "Persona", source: "third party, 2026-11", header: "Persona-Signature", syntax: list, sep: ',', tsKey: "t", sigKey: "v1", several: true,
		template: "{t}.{body}", idJSON: "/data/id", eventJSON: []string{"/data/attributes/name"},
	},
	{
		name: "airship", provider: "Airship", source: "third party, 2026-11", header: "X-UA-SIGNATURE", template: "{t}:{body}", tsHeader: "X-UA-TIMESTAMP",
	},
	{
		name: "elevenlabs", provider: "ElevenLabs", source: "elevenlabs-js, 2026-11", header: "ElevenLabs-Signature", syntax: list, sep: ',', tsKey: "t", sigKey: "v0",
		template: "{t}.{body}", tolerance: 30 * time.Minute, eventJSON: []string{"/type"}, secretHelp: "the whole text",
	},
	{
		name: "pylon", provider: "Pylon", source: "third party, 2026-11", header: "Pylon-Webhook-Signature", prefix: "hs256=", template: "{t}.{body}", tsHeader: "Pylon-Webhook-Timestamp",
		eventJSON: []string{"/event_type"},
	},
	{
		name: "courier", provider: "Courier", source: "third party, 2026-11", header: "courier-signature", syntax: list, sep: ',', tsKey: "t", sigKey: "signature",
		template: "{t}.{body}", unit: unitMillis, eventJSON: []string{"/type"},
	},
	{
		name: "oura", provider: "Oura", source: "third party, 2026-11", header: "x-oura-signature", template: "{t}{body}", tsHeader: "x-oura-timestamp", eventJSON: []string{"/event_type"},
		handshake: handshakeOura, secretHelp: "the client secret",
	},
	{
		name: "trello", provider: "Trello", source: "developer.atlassian.com, third party, 2026-11", header: "X-Trello-Webhook", alg: algSHA1, enc: encBase64, template: "{body}{url}",
		idJSON: "/action/id", eventJSON: []string{"/action/type"}, handshake: handshakeHead, secretHelp: "the OAuth 1.0 secret of the app",
	},
	{
		name: "mandrill", provider: "Mailchimp Transactional (Mandrill)", source: "django-anymail's tests, third party, 2026-11", header: "X-Mandrill-Signature", alg: algSHA1, enc: encBase64,
		template: "{url}{form}", form: mandrillForm, userInfo: true, handshake: handshakeHead, secretHelp: "the webhook's key",
		signs: "the URL, with name and password where it has them, and names and values of the form fields, sorted",
		note:  "Field names and values are joined without separators. A request carries several events.",
	},
	{
		name: "contentful", provider: "Contentful", source: "@contentful/node-apps-toolkit, 2026-11", header: "x-contentful-signature", tsHeader: "x-contentful-timestamp", unit: unitMillis, tolerance: 30 * time.Second,
		eventHeader: "X-Contentful-Topic", template: "{method}\n{url}\n{body}", signs: "method, path with query, the headers that `x-contentful-signed-headers` lists, and the body, each on a line",
		secretHelp: "the signing secret of 64 characters", identity: "what is signed, without the timestamp",
		note: "The topic is signed only where `x-contentful-signed-headers` lists it.",
	},
	{
		name: "hygraph", provider: "Hygraph", source: "@hygraph/utils, 2026-11", header: "gcms-signature", enc: encBase64, tsKey: "t", unit: unitMillis, eventJSON: []string{"/operation"},
		signs: "a JSON object of body, environment and timestamp, as JavaScript prints it",
	},
	{
		name: "okta", provider: "Okta", source: "okta-developer-docs, 2026-11", header: "Authorization", alg: algToken, idJSON: "/eventId", eventJSON: []string{"/data/events/0/eventType"},
		handshake: handshakeOkta, secretHelp: "the authentication secret, which Okta sends as it is", note: "A request carries several events.",
	},
	{
		name: "cloudflare-notifications", provider: "Cloudflare Notifications", source: "developers.cloudflare.com, third party, 2026-11", header: "cf-webhook-auth", alg: algToken,
		eventJSON: []string{"/alert_type"},
	},
	{
		name: "assemblyai", provider: "AssemblyAI", source: "third party, 2026-11", header: "X-My-Webhook-Secret", alg: algToken, eventJSON: []string{"/status"}, options: []string{"header"},
		secretHelp: "the value of the header that you chose, whose name is the option `header`",
	},
	{
		name: "deepgram", provider: "Deepgram", source: "third party, 2026-11", header: "dg-token", alg: algToken, idJSON: "/metadata/request_id",
		secretHelp: "the ID of the API key", note: "That ID is no secret by design: put Deepgram's addresses on the allowlist, or use `basic` with a name and password in the URL.",
	},
	{
		name: "ringcentral", provider: "RingCentral", source: "third party, 2026-11", header: "Verification-Token", alg: algToken, idJSON: "/uuid", eventJSON: []string{"/event"},
		handshake: handshakeRingCentral,
	},
	{
		name: "microsoft-graph", provider: "Microsoft Graph", source: "learn.microsoft.com, third party, 2026-11", alg: algToken, secretPointers: []string{"/value/*/clientState"},
		eventJSON: []string{"/value/0/changeType", "/value/0/lifecycleEvent"}, handshake: handshakeGraph, secretHelp: "the subscription's `clientState`",
		note: "Every notification of the body must have it. The secret reaches the app in the body.",
	},
	{
		name: "meraki", provider: "Cisco Meraki", source: "third party, 2026-11", alg: algToken, secretPointers: []string{"/sharedSecret"}, eventJSON: []string{"/alertTypeId"},
		secretHelp: "the shared secret", note: "The secret reaches the app in the body. `alertId` is empty or alike for some alerts, so it does not count.",
	},
	{
		name: "figma", provider: "Figma", source: "third party, 2026-11", alg: algToken, secretPointers: []string{"/passcode"}, eventJSON: []string{"/event_type"},
		secretHelp: "the webhook's passcode", note: "The secret reaches the app in the body.",
	},
	{
		name: "netlify", provider: "Netlify", source: "third party, 2026-11", header: "X-Webhook-Signature", alg: algJWT, jwt: &jwtRules{algs: hs256, bodyHash: "sha256", issuer: []string{"netlify"}},
		eventJSON: []string{"/state"}, signs: "a JWT (HS256) whose claim `sha256` is the hash of the body", secretHelp: "the JWS secret token",
		identity: "the body: its `id` is the deploy's, which several events share",
	},
	{
		name: "monday", provider: "monday.com", source: "developer.monday.com, third party, 2026-11", header: "Authorization", alg: algJWT,
		jwt: &jwtRules{algs: hs256, audience: true, mustExpire: true}, options: []string{"audience"}, idJSON: "/event/triggerUuid", eventJSON: []string{"/event/type"}, handshake: handshakeMonday,
		signs: "a JWT (HS256) without the body; its audience is the option `audience`, else `url`", secretHelp: "the signing secret of the app; its client secret for events of the app's life",
		note: "The body is not signed: whoever sees one request can send any other until the token ends. Webhooks made in the web interface are not signed at all.",
	},
	{
		name: "jira-connect", provider: "Jira (Connect apps)", source: "Atlassian's documents through third parties, 2026-11", header: "Authorization", alg: algJWT,
		jwt: &jwtRules{algs: hs256, qsh: true, mustExpire: true, prefixes: []string{"JWT "}}, options: []string{"issuer"}, eventJSON: []string{"/webhookEvent"}, template: "{method}{url}",
		signs: "a JWT (HS256) of method, path and query, without the body", secretHelp: "the shared secret of the installation; the option `issuer` is its client key",
		note: "The body is not signed: whoever sees one request can send any other to the same address until the token ends.",
	},
	{
		name: "google-pubsub", provider: "Google Cloud Pub/Sub (push)", source: "docs.cloud.google.com, third party, 2026-11", header: "Authorization", alg: algJWT,
		jwt:     &jwtRules{algs: rs256, prefixes: bearer, issuer: []string{"https://accounts.google.com", "accounts.google.com"}, audience: true, email: true, mustExpire: true},
		options: []string{"audience", "email", "jwks_pem"}, jwksURL: "https://www.googleapis.com/oauth2/v3/certs", hosts: []string{"www.googleapis.com"}, idJSON: "/message/messageId",
		signs: "a JWT (RS256) of Google's without the body", secretHelp: "none: the keys are fetched from www.googleapis.com; the options `audience` and `email` say whose tokens pass",
		note: "The body is not signed: whoever sees one request can send any other until the token ends, within an hour.",
	},
	{
		name: "wix", provider: "Wix", source: "@wix/sdk, 2026-11", alg: algJWT, jwt: &jwtRules{algs: rs256, inBody: true}, signs: "a JWT (RS256), which the body is",
		secretHelp: "the app's public key in PEM", identity: "the event's ID inside the token, which is signed",
	},
	{
		name: "fusionauth", provider: "FusionAuth", source: "third party: hookdeck/webhook-skills, 2026-11", header: "X-FusionAuth-Signature-JWT", alg: algJWT,
		jwt: &jwtRules{algs: hs256, bodyHash: "request_body_sha256", hashEnc: encBase64}, idJSON: "/event/id", eventJSON: []string{"/event/type"},
		signs: "a JWT (HS256) whose claim `request_body_sha256` is the hash of the body, in base64",
	},
	{
		name: "travis-ci", provider: "Travis CI", source: "travis-ci's repositories, 2026-11", header: "Signature", alg: algRSA1, enc: encBase64, template: "{field}", form: travisForm,
		secretHelp: "Travis' public key in PEM, from its `/config`", signs: "the form field `payload`, decoded", identity: "the signed text of `payload`",
	},
	{
		name: "supabase", provider: "Supabase (Auth hooks)", source: "supabase.com/docs, third party, 2026-11", header: "webhook-signature",
		syntax: versions, sigKey: "v1", enc: encBase64, secret: secWhsec, template: "{id}.{t}.{body}",
		tsHeader: "webhook-timestamp", idHeaders: []string{"webhook-id"}, secretHelp: "`v1,whsec_` and base64, several joined by a bar",
		note: "Supabase's database webhooks are not signed.",
	},
	{
		name: "strava", provider: "Strava", source: "third party, 2026-11", header: "X-Strava-Token", alg: algToken, options: []string{"header"}, handshake: handshakeStrava,
		eventJSON: []string{"/aspect_type"}, secretHelp: "any token that you add in front of the gateway",
		note: "Strava signs nothing and sends no secret: only the set-up request is answered. Let something in front of the gateway add the header.",
	},
}
