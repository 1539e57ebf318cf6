package signature

import "time"

// presetsTrade are payments, shops and what runs a business.
var presetsTrade = []row{
	{
		name: "stripe", provider: "Stripe", source: "stripe-go, stripe-node, 2026-11", header: "Stripe-Signature",
		syntax: list, sep: ',', tsKey: "t", sigKey: "v1", several: true, template: "{t}.{body}",
		idJSON: "/id", eventJSON: []string{"/type"}, secretHelp: "the whole text, `whsec_` included",
	},
	{
		name: "paddle", provider: "Paddle", source: "paddle-node-sdk, paddle-go-sdk, 2026-11", header: "Paddle-Signature",
		syntax: list, sep: ';', tsKey: "ts", sigKey: "h1", several: true, template: "{t}:{body}", tolerance: 5 * time.Second,
		idJSON: "/event_id", eventJSON: []string{"/event_type"},
	},
	{
		name: "square", provider: "Square", source: "square libraries, 2026-11", header: "x-square-hmacsha256-signature", enc: encBase64, template: "{url}{body}",
		idJSON: "/event_id", eventJSON: []string{"/type"}, secretHelp: "the signature key",
	},
	{
		name: "razorpay", provider: "Razorpay", source: "razorpay libraries, 2026-11", header: "X-Razorpay-Signature",
		idHeaders: []string{"X-Razorpay-Event-Id"}, eventJSON: []string{"/event"},
	},
	{
		name: "lemonsqueezy", provider: "Lemon Squeezy", source: "third party, 2026-11", header: "X-Signature",
		telltale: "/meta/event_name", eventJSON: []string{"/meta/event_name"}, eventHeader: "X-Event-Name",
		note: "There is no event ID: two events with equal bodies are one.",
	},
	{
		name: "coinbase-commerce", provider: "Coinbase Commerce", source: "coinbase-commerce libraries, 2026-11", header: "X-CC-Webhook-Signature",
		idJSON: "/event/id", eventJSON: []string{"/event/type"},
	},
	{
		name: "adyen-platform", provider: "Adyen for Platforms", source: "adyen libraries, 2026-11", header: "HmacSignature", enc: encBase64, secret: secHex,
		eventJSON: []string{"/type"}, secretHelp: "the HMAC key in hexadecimal",
		note: "There is no event ID: two events with equal bodies are one.",
	},
	{
		name: "adyen-standard", provider: "Adyen standard notifications", source: "adyen libraries, 2026-11", enc: encBase64, secret: secHex,
		secretHelp: "the HMAC key in hexadecimal", eventJSON: []string{"/notificationItems/0/NotificationRequestItem/eventCode"},
		identity: "the eight signed fields of each item, in whichever order and however often the list has it",
		signs:    "eight fields of each item, joined by colons; the signature is in the item's `additionalData.hmacSignature`",
		note:     "Everything in the body but `pspReference`, `originalReference`, `merchantAccountCode`, `merchantReference`, `amount`, `eventCode` and `success` can be changed: take nothing else from it.",
	},
	{
		name: "shopify", provider: "Shopify", source: "shopify-api libraries, shopify.dev, 2026-11", header: "X-Shopify-Hmac-Sha256", enc: encBase64,
		idHeaders: []string{"X-Shopify-Webhook-Id"}, eventHeader: "X-Shopify-Topic", secretHelp: "the app's client secret",
	},
	{
		name: "woocommerce", provider: "WooCommerce", source: "woocommerce class-wc-webhook.php, 2026-11", noID: true, identity: "the body: `X-WC-Webhook-Delivery-ID` is a hash of the webhook and the second, so that two events within one second share it", header: "X-WC-Webhook-Signature", enc: encBase64,
		idHeaders: []string{"X-WC-Webhook-Delivery-ID"}, eventHeader: "X-WC-Webhook-Topic",
	},
	{
		name: "xero", provider: "Xero", source: "third party, developer.xero.com (intent to receive), 2026-11", header: "x-xero-signature", enc: encBase64, handshake: handshakeXero,
		note: "A request carries several events and has no ID of its own.",
	},
	{
		name: "hubspot-v1", provider: "HubSpot, version 1", source: "hubspot libraries, 2026-11", header: "X-HubSpot-Signature", plainHash: true, template: "{secret}{body}",
		fixed: []fixedHeader{{"X-HubSpot-Signature-Version", "v1"}}, secretHelp: "the app's client secret",
		note: "A plain SHA-256, not an HMAC: whoever has one signed body can sign that body with bytes appended. Use hubspot-v3.",
	},
	{
		name: "hubspot-v2", provider: "HubSpot, version 2", source: "hubspot libraries, 2026-11", header: "X-HubSpot-Signature", plainHash: true, template: "{secret}{method}{url}{body}",
		fixed: []fixedHeader{{"X-HubSpot-Signature-Version", "v2"}}, secretHelp: "the app's client secret",
		note: "A plain SHA-256, not an HMAC: whoever has one signed body can sign that body with bytes appended. Use hubspot-v3.",
	},
	{
		name: "hubspot-v3", provider: "HubSpot", source: "hubspot libraries, 2026-11", header: "X-HubSpot-Signature-v3", enc: encBase64, template: "{method}{url}{body}{t}",
		tsHeader: "X-HubSpot-Request-Timestamp", unit: unitMillis, urls: hubSpotURLs, secretHelp: "the app's client secret",
		note: "A request carries several events and has no ID of its own. HubSpot signs the URL with some percent-encodings undone; each documented set of them is tried.",
	},
	{
		name: "zendesk", provider: "Zendesk", source: "developer.zendesk.com, 2026-11", noDigest: true, identity: "`X-Zendesk-Webhook-Invocation-Id` alone: the body of a trigger's webhook is whatever its owner wrote, so that different events may have equal ones", header: "X-Zendesk-Webhook-Signature", enc: encBase64, template: "{t}{body}",
		tsHeader: "X-Zendesk-Webhook-Signature-Timestamp", unit: unitRFC3339,
		idHeaders: []string{"X-Zendesk-Webhook-Invocation-Id"}, eventJSON: []string{"/type"}, secretHelp: "the whole text, though it looks like base64",
	},
	{
		name: "intercom", provider: "Intercom", source: "third party quoting developers.intercom.com, 2026-11", header: "X-Hub-Signature", prefix: "sha1=", alg: algSHA1,
		idJSON: "/id", eventJSON: []string{"/topic"}, telltale: "/topic", secretHelp: "the app's client secret",
	},
	{
		name: "typeform", provider: "Typeform", source: "third party, 2026-11", header: "Typeform-Signature", prefix: "sha256=", enc: encBase64,
		idJSON: "/event_id", eventJSON: []string{"/event_type"},
	},
	{
		name: "calendly", provider: "Calendly", source: "developer.calendly.com, 2026-11", header: "Calendly-Webhook-Signature",
		syntax: list, sep: ',', tsKey: "t", sigKey: "v1", template: "{t}.{body}", tolerance: 3 * time.Minute, eventJSON: []string{"/event"},
		note: "There is no event ID: two events with equal bodies are one.",
	},
}
