package signature

import "time"

// presetsShops are shops, payments, shipping and billing, further ones.
var presetsShops = []row{
	{
		name: "modern-treasury", provider: "Modern Treasury", source: "modern-treasury-node, 2026-11", header: "X-Signature",
	},
	{
		name: "gocardless", provider: "GoCardless", source: "gocardless-nodejs, 2026-11", header: "Webhook-Signature", idJSON: "/meta/webhook_id",
		eventJSON: []string{"/events/0/resource_type"}, note: "A request carries several events, and is repeated as a whole.",
	},
	{
		name: "chargify", provider: "Chargify (Maxio)", source: "third party, 2026-11", header: "X-Chargify-Webhook-Signature-Hmac-Sha-256",
		idHeaders: []string{"X-Chargify-Webhook-Id"}, secretHelp: "the site's shared key",
	},
	{
		name: "aftership", provider: "AfterShip Tracking", source: "aftership.com (tracking), 2026-11", header: "aftership-hmac-sha256", enc: encBase64,
		idJSON: "/event_id", eventJSON: []string{"/event"}, options: []string{"header"},
		note: "AfterShip's products use different headers: `as-signature-hmac-sha256` (Returns, Warranty) and `am-webhook-signature` (Shipping), with the option `header`.",
	},
	{
		name: "commercelayer", provider: "Commerce Layer", source: "third party, 2026-11", header: "X-CommerceLayer-Signature", enc: encBase64,
		eventHeader: "X-CommerceLayer-Topic", note: "The topic stands in a header that is not signed: a captured request can come as another topic.",
	},
	{
		name: "fastspring", provider: "FastSpring", source: "third party, 2026-11", header: "X-FS-Signature", enc: encBase64, eventJSON: []string{"/events/0/type"},
		note: "A request carries several events; those that are retried by hand get new IDs. Without a secret FastSpring sends no signature.",
	},
	{
		name: "paystack", provider: "Paystack", source: "third party, 2026-11", header: "x-paystack-signature", alg: algSHA512, eventJSON: []string{"/event"},
		secretHelp: "the API secret key",
	},
	{
		name: "checkout-com", provider: "Checkout.com", source: "third party, 2026-11", header: "Cko-Signature", idJSON: "/id", eventJSON: []string{"/type"},
	},
	{
		name: "mollie", provider: "Mollie", source: "mollie-api-php, 2026-11", header: "X-Mollie-Signature", prefix: "sha256=", repeatedHeader: true, syntax: values, sep: ',', several: true,
		idJSON: "/id", eventJSON: []string{"/type"},
		note: "Mollie's older webhooks are unsigned forms with the ID of a payment: they do not pass.",
	},
	{
		name: "flutterwave", provider: "Flutterwave, version 4", source: "third party, 2026-11", header: "flutterwave-signature", enc: encBase64,
		eventJSON: []string{"/type"}, secretHelp: "the secret hash",
	},
	{
		name: "flutterwave-legacy", provider: "Flutterwave, version 3", source: "third party, 2026-11", header: "verif-hash", alg: algToken,
		eventJSON: []string{"/event"}, secretHelp: "the secret hash",
	},
	{
		name: "easypost", provider: "EasyPost", source: "easypost-node with its fixtures, 2026-11", header: "X-Hmac-Signature", prefix: "hmac-sha256-hex=", secret: secNFKD,
		idJSON: "/id", eventJSON: []string{"/description"},
	},
	{
		name: "recurly", provider: "Recurly", source: "recurly-client-go, 2026-11", header: "recurly-signature", syntax: ordered, sep: ',', tsKey: orderedTime, several: true,
		template: "{t}.{body}", unit: unitMillis, eventJSON: []string{"/event_type"}, secretHelp: "the key, whose hexadecimal digits are its text",
		note: "Whether the body's `id` is the event's is not documented, so it does not count.",
	},
	{
		name: "airwallex", provider: "Airwallex", source: "third party, 2026-11", header: "x-signature", template: "{t}{body}", tsHeader: "x-timestamp", unit: unitMillis,
		idJSON: "/id", eventJSON: []string{"/name"},
	},
	{
		name: "orb", provider: "Orb", source: "orb-python, 2026-11", header: "X-Orb-Signature", syntax: list, sep: ' ', sigKey: "v1", several: true,
		template: "v1:{t}:{body}", tsHeader: "X-Orb-Timestamp", unit: unitISO, idJSON: "/id", eventJSON: []string{"/type"},
	},
	{
		name: "shippo", provider: "Shippo", source: "third party, 2026-11", header: "Shippo-Auth-Signature", syntax: list, sep: ',', tsKey: "t", sigKey: "v1",
		template: "{t}.{body}", eventJSON: []string{"/event"},
	},
	{
		name: "recharge", provider: "Recharge", source: "third party, 2026-11", header: "X-Recharge-Webhook-Signature", syntax: list, sep: ',', tsKey: "t", sigKey: "v1",
		template: "{t}.{body}", tolerance: 48 * time.Hour, secretHelp: "the API client secret",
	},
	{
		name: "recharge-legacy", provider: "Recharge, legacy", source: "third party, 2026-11", header: "X-Recharge-Hmac-Sha256", plainHash: true, template: "{secret}{body}",
		secretHelp: "the API client secret", note: "A plain SHA-256, not an HMAC, whatever the header says: whoever has one signed body can sign that body with bytes appended. Use `recharge`.",
	},
	{
		name: "revolut", provider: "Revolut", source: "developer.revolut.com, 2026-11", header: "Revolut-Signature", syntax: list, sep: ',', sigKey: "v1", several: true,
		template: "v1.{t}.{body}", tsHeader: "Revolut-Request-Timestamp", unit: unitMillis, eventJSON: []string{"/event"}, secretHelp: "the whole text, `wsk_` included",
	},
	{
		name: "solidgate", provider: "Solidgate", source: "third party, 2026-11", header: "signature", alg: algSHA512, enc: encHexBase64,
		template: "{public_key}{body}{public_key}", fixedBy: []string{"public_key"}, options: []string{"public_key"}, idHeaders: []string{"solidgate-event-id"},
		eventHeader: "solidgate-event-type", secretHelp: "the webhook's secret key; the option `public_key` is its public one",
		note: "Event ID and type stand in headers that are not signed.",
	},
	{
		name: "nowpayments", provider: "NOWPayments", source: "third party, 2026-11", header: "x-nowpayments-sig", alg: algSHA512, eventJSON: []string{"/payment_status"},
		secretHelp: "the IPN secret", signs: "the JSON with its members sorted by name and without white space, as JavaScript prints it",
		identity: "the sorted JSON that is signed: its spelling does not matter",
	},
	{
		name: "tebex", provider: "Tebex", source: "docs.tebex.io, 2026-11", header: "X-Signature", template: "{body_hash}", idJSON: "/id", eventJSON: []string{"/type"},
		handshake: handshakeTebex, telltale: "/subject",
	},
	{
		name: "tiktok-shop", provider: "TikTok Shop", source: "third party, 2026-11", header: "Authorization", template: "{app_key}{body}", fixedBy: []string{"app_key"}, options: []string{"app_key"},
		idJSON: "/tts_notification_id", eventJSON: []string{"/type"}, secretHelp: "the app secret; the option `app_key` is the app's key",
	},
	{
		name: "braintree", provider: "Braintree", source: "braintree_node, 2026-11", alg: algSHA1, options: []string{"public_key"}, fixedBy: []string{"public_key"},
		signs: "the form field `bt_payload`, as text; `bt_signature` beside it has public key and signature", secretHelp: "the private key; the option `public_key` is the public one",
		handshake: handshakeBraintree, identity: "the signed text of `bt_payload`",
	},
	{
		name: "wise", provider: "Wise", source: "docs.wise.com with its example, 2026-11", header: "X-Signature-SHA256", alg: algRSA256, enc: encBase64,
		idHeaders: []string{"X-Delivery-Id"}, eventJSON: []string{"/event_type"}, secretHelp: "Wise's public key in PEM: one for production, one for the sandbox",
		note: "Wise signs for all of its customers with one key: check the profile in the body.",
	},
	{
		name: "circle", provider: "Circle", source: "developers.circle.com, third party, 2026-11", header: "X-Circle-Signature", alg: algECDSA, enc: encBase64, kidHeader: "X-Circle-Key-Id",
		idJSON: "/notificationId", eventJSON: []string{"/notificationType"}, options: []string{"jwks_pem"}, secretHelp: "the public key, in base64; or none, with `jwks_pem`",
	},
	{
		name: "shipengine", provider: "ShipEngine, ShipStation", source: "docs.shipstation.com, third party, 2026-11", header: "X-ShipEngine-RSA-SHA256-Signature", alg: algRSA256, enc: encBase64,
		kidHeader: "X-ShipEngine-RSA-SHA256-Key-ID", template: "{t}.{body}", tsHeader: "X-ShipEngine-Timestamp", unit: unitRFC3339, eventJSON: []string{"/resource_type"},
		options: []string{"jwks_pem"}, jwksURL: "https://api.shipengine.com/jwks", hosts: []string{"api.shipengine.com"}, secretHelp: "none: the keys are fetched from api.shipengine.com",
	},
	{
		name: "ebay", providerSigns: true, provider: "eBay", source: "event-notification-nodejs-sdk, 2026-11", header: "x-ebay-signature", alg: algECDSA1, enc: encBase64,
		idJSON: "/notification/notificationId", eventJSON: []string{"/metadata/topic"}, options: []string{"jwks_pem", "endpoint"}, handshake: handshakeEBay,
		signs: "the body; the header is base64 of a JSON object with key ID and signature", secretHelp: "the verification token, for the set-up request; the keys are the option `jwks_pem`",
		note: "eBay signs for all of its customers with one key.",
	},
	{
		name: "plaid", provider: "Plaid", source: "plaid.com, 2026-11", header: "Plaid-Verification", alg: algJWT, options: []string{"jwks_pem"},
		jwt:       &jwtRules{algs: es256, bodyHash: "request_body_sha256", checkIssuedAt: true},
		eventJSON: []string{"/webhook_code"}, secretHelp: "none: the keys are the option `jwks_pem`, from Plaid's `/webhook_verification_key/get`",
		signs: "a JWT (ES256) whose claim `request_body_sha256` is the hash of the body",
	},
	{
		name: "fireblocks", provider: "Fireblocks", source: "third party, 2026-11", header: "Fireblocks-Webhook-Signature", alg: algJWT, options: []string{"jwks_pem", "jwks"},
		jwt: &jwtRules{algs: rs512, detached: true}, idJSON: "/id", eventJSON: []string{"/eventType"}, jwksURL: "https://keys.fireblocks.io/.well-known/jwks.json",
		hosts: []string{"keys.fireblocks.io", "eu-keys.fireblocks.io", "eu2-keys.fireblocks.io", "sandbox-keys.fireblocks.io"},
		signs: "the body, as the payload of a detached JWS (RS512)", secretHelp: "none: the keys are fetched from keys.fireblocks.io; the option `jwks` names the address of another region",
	},
	{
		name: "fireblocks-v1", provider: "Fireblocks, version 1 (ended in March 2026)", source: "third party, 2026-11", header: "Fireblocks-Signature", alg: algRSA512, enc: encBase64,
		eventJSON: []string{"/type"}, secretHelp: "Fireblocks' public key in PEM",
	},
	{
		name: "polar", provider: "Polar", source: "polar-js, 2026-11", header: "webhook-signature",
		syntax: versions, sigKey: "v1", enc: encBase64, template: "{id}.{t}.{body}",
		tsHeader: "webhook-timestamp", idHeaders: []string{"webhook-id"}, eventJSON: []string{"/type"}, secretHelp: "the whole text, `polar_whs_` included",
	},
	{
		name: "lithic", provider: "Lithic", source: "lithic-node, 2026-11", header: "webhook-signature",
		syntax: versions, sigKey: "v1", enc: encBase64, secret: secWhsec, template: "{id}.{t}.{body}",
		tsHeader: "webhook-timestamp", idHeaders: []string{"webhook-id"}, eventJSON: []string{"/event_type"}, secretHelp: "`whsec_` and base64",
	},
}
