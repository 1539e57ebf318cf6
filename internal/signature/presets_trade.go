package signature

import "time"

// presetsTrade are payments, shops and what runs a business.
var presetsTrade = []row{
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
	{
		name: "square", provider: "Square", header: "x-square-hmacsha256-signature", enc: encBase64, template: "{url}{body}",
		idJSON: "/event_id", eventJSON: []string{"/type"}, secretIs: "the signature key",
	},
	{
		name: "razorpay", provider: "Razorpay", header: "X-Razorpay-Signature",
		idHeaders: []string{"X-Razorpay-Event-Id"}, eventJSON: []string{"/event"},
	},
	{
		name: "lemonsqueezy", provider: "Lemon Squeezy", header: "X-Signature",
		eventJSON: []string{"/meta/event_name"}, eventHeader: "X-Event-Name",
		note: "There is no event ID: two events with equal bodies are one.",
	},
	{
		name: "coinbase-commerce", provider: "Coinbase Commerce", header: "X-CC-Webhook-Signature",
		idJSON: "/event/id", eventJSON: []string{"/event/type"},
	},
	{
		name: "adyen-platform", provider: "Adyen for Platforms", header: "HmacSignature", enc: encBase64, secret: secHex,
		eventJSON: []string{"/type"}, secretIs: "the HMAC key in hexadecimal",
		note: "There is no event ID: two events with equal bodies are one.",
	},
	{
		name: "adyen-standard", provider: "Adyen standard notifications", enc: encBase64, secret: secHex,
		secretIs: "the HMAC key in hexadecimal", eventJSON: []string{"/notificationItems/0/NotificationRequestItem/eventCode"},
		how:  "eight fields of each item, joined by colons; the signature is in the item's `additionalData.hmacSignature`",
		note: "Everything in the body but `pspReference`, `originalReference`, `merchantAccountCode`, `merchantReference`, `amount`, `eventCode` and `success` can be changed: take nothing else from it.",
	},
	{
		name: "shopify", provider: "Shopify", header: "X-Shopify-Hmac-Sha256", enc: encBase64,
		idHeaders: []string{"X-Shopify-Webhook-Id"}, eventHeader: "X-Shopify-Topic", secretIs: "the app's client secret",
	},
	{
		name: "woocommerce", provider: "WooCommerce", header: "X-WC-Webhook-Signature", enc: encBase64,
		idHeaders: []string{"X-WC-Webhook-Delivery-ID"}, eventHeader: "X-WC-Webhook-Topic",
	},
	{
		name: "xero", provider: "Xero", header: "x-xero-signature", enc: encBase64, handshake: handshakeXero,
		note: "A request carries several events and has no ID of its own.",
	},
	{
		name: "hubspot-v1", provider: "HubSpot, version 1", header: "X-HubSpot-Signature", plain: true, template: "{secret}{body}",
		fixed: []fixedHeader{{"X-HubSpot-Signature-Version", "v1"}}, secretIs: "the app's client secret",
		note: "A plain SHA-256, not an HMAC: whoever has one signed body can sign that body with bytes appended. Use hubspot-v3.",
	},
	{
		name: "hubspot-v2", provider: "HubSpot, version 2", header: "X-HubSpot-Signature", plain: true, template: "{secret}{method}{url}{body}",
		fixed: []fixedHeader{{"X-HubSpot-Signature-Version", "v2"}}, secretIs: "the app's client secret",
		note: "A plain SHA-256, not an HMAC: whoever has one signed body can sign that body with bytes appended. Use hubspot-v3.",
	},
	{
		name: "hubspot-v3", provider: "HubSpot", header: "X-HubSpot-Signature-v3", enc: encBase64, template: "{method}{url}{body}{t}",
		tsHeader: "X-HubSpot-Request-Timestamp", unit: unitMillis, urls: hubSpotURLs, secretIs: "the app's client secret",
		note: "A request carries several events and has no ID of its own. HubSpot signs the URL with some percent-encodings undone; each documented set of them is tried.",
	},
	{
		name: "zendesk", provider: "Zendesk", header: "X-Zendesk-Webhook-Signature", enc: encBase64, template: "{t}{body}",
		tsHeader: "X-Zendesk-Webhook-Signature-Timestamp", unit: unitRFC3339,
		idHeaders: []string{"X-Zendesk-Webhook-Invocation-Id"}, eventJSON: []string{"/type"}, secretIs: "the whole text, though it looks like base64",
	},
	{
		name: "intercom", provider: "Intercom", header: "X-Hub-Signature", prefix: "sha1=", alg: algSHA1,
		idJSON: "/id", eventJSON: []string{"/topic"}, telltale: "/topic", secretIs: "the app's client secret",
	},
	{
		name: "typeform", provider: "Typeform", header: "Typeform-Signature", prefix: "sha256=", enc: encBase64,
		idJSON: "/event_id", eventJSON: []string{"/event_type"},
	},
	{
		name: "calendly", provider: "Calendly", header: "Calendly-Webhook-Signature",
		syntax: list, sep: ',', tsKey: "t", sigKey: "v1", template: "{t}.{body}", tolerance: 3 * time.Minute, eventJSON: []string{"/event"},
		note: "There is no event ID: two events with equal bodies are one.",
	},
}
