// Official libraries of further providers, in the form of libraries.mjs. Most sign a body with a header and nothing else.
import { createHash, createHmac, generateKeyPairSync, sign as signWithKey } from "node:crypto";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

const hmac = (algorithm, key, text, encoding = "hex") => createHmac(algorithm, key).update(text).digest(encoding);

// header finds one in whatever letter case it is written.
const header = (r, name) => Object.entries(r.headers).find(([other]) => other.toLowerCase() === name.toLowerCase())?.[1];

const accepted = async (check) => {
	try {
		return (await check()) !== false;
	} catch {
		return false;
	}
};

// verified is accepted for libraries that parse the body after the signature, which need not be JSON.
const verified = (check) =>
	accepted(async () => {
		try {
			return await check();
		} catch (error) {
			if (!(error instanceof SyntaxError)) throw error;
		}
	});

// events are bodies that every library can parse, and that come out of JSON.stringify as they went in.
const events = ["video.uploaded", "video.deleted", "héllo, 🦀", "", "x".repeat(3000), 'a "quoted" one'].map((type, i) =>
	JSON.stringify({ id: "evt_" + i, type, event: "room_started", data: { n: i } }),
);

// body is a library whose signature is a header over the body alone.
const body = (name, sign, accepts) => ({
	accepts,
	async *samples() {
		for (const text of events) yield { secret: "a secret", headers: { [name]: sign(text, "a secret") }, body: text };
	},
});

// providers loads the libraries, which have to find the clock that stands, and returns them by scheme.
export async function providers(now) {
	const { WorkOS } = require("@workos-inc/node");
	const { AccessToken, WebhookReceiver } = require("livekit-server-sdk");
	const { EventWebhook } = require("@sendgrid/eventwebhook");
	const { Webhook: coinbase } = require("coinbase-commerce-node");
	const { validateSignature: line } = require("@line/bot-sdk");
	const Mux = require("@mux/mux-node").default;
	const OpenAI = require("openai").default;
	const ModernTreasury = require("modern-treasury").default;
	const EasyPost = require("@easypost/api");
	const Pusher = require("pusher");
	const braintree = require("braintree");
	const gocardless = require("gocardless-nodejs");
	const messagebird = require("messagebird/lib/signature");
	const plivo = require("plivo/dist/utils/security");
	const plivoV3 = require("plivo/dist/utils/v3Security");
	const razorpay = require("razorpay");
	const smartcar = require("smartcar");

	const mux = {
		accepts: (r) =>
			accepted(() => new Mux({ tokenId: "a", tokenSecret: "b" }).webhooks.verifySignature(r.body, { "mux-signature": header(r, "Mux-Signature") }, r.secret)),
		async *samples() {
			for (const text of events)
				for (const at of [now, now - 299])
					yield { secret: "a secret", headers: { "Mux-Signature": `t=${at},v1=${hmac("sha256", "a secret", `${at}.${text}`)}` }, body: text };
		},
	};

	const workos = {
		accepts: (r) =>
			accepted(() => new WorkOS("sk").webhooks.verifyHeader({ payload: JSON.parse(r.body), sigHeader: header(r, "WorkOS-Signature"), secret: r.secret })),
		async *samples() {
			for (const text of events)
				for (const at of [now * 1000, now * 1000 - 179_000])
					yield { secret: "a secret", headers: { "WorkOS-Signature": `t=${at}, v1=${hmac("sha256", "a secret", `${at}.${text}`)}` }, body: text };
		},
	};

	const openai = {
		accepts: (r) =>
			accepted(() => {
				const headers = Object.fromEntries(["webhook-id", "webhook-timestamp", "webhook-signature"].map((name) => [name, header(r, name)]));
				return new OpenAI({ apiKey: "a" }).webhooks.verifySignature(r.body, headers, r.secret);
			}),
		async *samples() {
			const key = Buffer.from("a key of thirty-two bytes, base64");
			for (const text of events)
				for (const at of [now, now - 300, now + 300])
					yield {
						secret: "whsec_" + key.toString("base64"),
						headers: { "webhook-id": "wh_1", "webhook-timestamp": String(at), "webhook-signature": "v1," + hmac("sha256", key, `wh_1.${at}.${text}`, "base64") },
						body: text,
					};
		},
	};

	const livekit = {
		accepts: (r) => accepted(() => new WebhookReceiver("devkey", r.secret).receive(r.body, header(r, "Authorization"))),
		async *samples() {
			for (const text of events) {
				const token = new AccessToken("devkey", "a secret", { ttl: "5m" });
				token.sha256 = createHash("sha256").update(text).digest("base64");
				yield { secret: "a secret", options: { api_key: "devkey" }, headers: { Authorization: await token.toJwt() }, body: text };
			}
		},
	};

	const sendgrid = {
		accepts: (r) =>
			accepted(() => {
				const check = new EventWebhook();
				const key = check.convertPublicKeyToECDSA(`-----BEGIN PUBLIC KEY-----\n${r.secret}\n-----END PUBLIC KEY-----`);
				return check.verifySignature(key, r.body, header(r, "X-Twilio-Email-Event-Webhook-Signature"), header(r, "X-Twilio-Email-Event-Webhook-Timestamp"));
			}),
		async *samples() {
			const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
			for (const text of events)
				yield {
					secret: publicKey.export({ format: "der", type: "spki" }).toString("base64"),
					headers: {
						"X-Twilio-Email-Event-Webhook-Signature": signWithKey("sha256", Buffer.from(now + text), privateKey).toString("base64"),
						"X-Twilio-Email-Event-Webhook-Timestamp": String(now),
					},
					body: text,
				};
		},
	};

	const pusher = body("X-Pusher-Signature", (text, secret) => hmac("sha256", secret, text), (r) => {
		const headers = { "x-pusher-key": "key", "x-pusher-signature": header(r, "X-Pusher-Signature"), "content-type": "application/json" };
		return accepted(() => new Pusher({ appId: "1", key: "key", secret: r.secret, cluster: "eu" }).webhook({ headers, rawBody: r.body }).isValid());
	});

	const braintreeForms = {
		accepts: (r) =>
			verified(() => {
				const form = new URLSearchParams(r.body);
				const gateway = new braintree.BraintreeGateway({ environment: braintree.Environment.Sandbox, merchantId: "m", publicKey: "pk", privateKey: r.secret });
				return gateway.webhookNotification.parse(form.get("bt_signature") ?? "", form.get("bt_payload") ?? "").then(() => true);
			}),
		async *samples() {
			const gateway = new braintree.BraintreeGateway({ environment: braintree.Environment.Sandbox, merchantId: "m", publicKey: "pk", privateKey: "a secret" });
			for (const kind of ["SubscriptionWentPastDue", "SubscriptionCanceled", "DisputeOpened", "Disbursement", "SubscriptionExpired", "TransactionSettled"]) {
				const { bt_signature, bt_payload } = await gateway.webhookTesting.sampleNotification(braintree.WebhookNotification.Kind[kind], "id");
				yield {
					secret: "a secret",
					options: { public_key: "pk" },
					headers: { "Content-Type": "application/x-www-form-urlencoded" },
					body: new URLSearchParams({ bt_payload, bt_signature }).toString(),
					signedFields: ["bt_payload", "bt_signature"],
				};
			}
		},
	};

	const messagebirdRequests = {
		accepts: (r) =>
			accepted(() => {
				const headers = {
					"messagebird-request-timestamp": header(r, "MessageBird-Request-Timestamp"),
					"messagebird-signature": header(r, "MessageBird-Signature"),
				};
				return messagebird.validate({ headers, query: Object.fromEntries(new URL(r.url).searchParams), body: r.body }, r.secret);
			}),
		async *samples() {
			for (const text of events)
				for (const [url, query] of [
					["https://example.com/hook", ""],
					["https://example.com/hook?b=2&a=1", "a=1&b=2"],
				]) {
					const signed = Buffer.concat([Buffer.from(`${now}\n${query}\n`), createHash("sha256").update(text).digest()]);
					const headers = { "MessageBird-Request-Timestamp": String(now), "MessageBird-Signature": hmac("sha256", "a secret", signed, "base64") };
					yield { secret: "a secret", url, unsignedHost: true, headers, body: text };
				}
		},
	};

	const plivoURLs = {
		accepts: (r) => accepted(() => plivo.validateSignature(r.url, header(r, "X-Plivo-Signature-V2-Nonce"), header(r, "X-Plivo-Signature-V2"), r.secret)),
		async *samples() {
			for (const path of ["a", "b/c", "d", "e", "f", "g-h_1"]) {
				const url = "https://example.com/" + path;
				const headers = { "X-Plivo-Signature-V2-Nonce": "nonce-" + path, "X-Plivo-Signature-V2": hmac("sha256", "a secret", url + "nonce-" + path, "base64") };
				yield { secret: "a secret", url, unsignedBody: true, headers, body: "A=1" };
			}
		},
	};

	const form = "application/x-www-form-urlencoded";
	const plivoForms = {
		accepts: (r) =>
			accepted(() => {
				const fields = Object.fromEntries(new URLSearchParams(r.body));
				const nonce = header(r, "X-Plivo-Signature-V3-Nonce");
				return plivoV3.validateV3Signature("POST", r.url, nonce, r.secret, header(r, "X-Plivo-Signature-V3"), fields);
			}),
		async *samples() {
			for (const [url, signed] of [
				["https://example.com/hook", "https://example.com/hook?From=1To=2."],
				["https://example.com/hook?b=2&a=1", "https://example.com/hook?a=1&b=2.From1To2"],
			])
				for (const nonce of ["n1", "n2", "n3", "n4", "n5", "n6"]) {
					const base = url.includes("?") ? signed : "https://example.com/hook?.From1To2";
					const headers = { "Content-Type": form, "X-Plivo-Signature-V3-Nonce": nonce, "X-Plivo-Signature-V3": hmac("sha256", "a secret", `${base}.${nonce}`, "base64") };
					yield { secret: "a secret", url, headers, body: "To=2&From=1", may: true };
				}
		},
	};

	return {
		braintree: braintreeForms,
		"coinbase-commerce": body("X-CC-Webhook-Signature", (text, secret) => hmac("sha256", secret, text), (r) =>
			accepted(() => coinbase.verifySigHeader(r.body, header(r, "X-CC-Webhook-Signature"), r.secret)),
		),
		easypost: body("X-Hmac-Signature", (text, secret) => "hmac-sha256-hex=" + hmac("sha256", secret.normalize("NFKD"), text), (r) =>
			accepted(() => new EasyPost("key").Utils.validateWebhook(Buffer.from(r.body), { "X-Hmac-Signature": header(r, "X-Hmac-Signature") }, r.secret)),
		),
		gocardless: body("Webhook-Signature", (text, secret) => hmac("sha256", secret, text), (r) =>
			verified(() => gocardless.parse(r.body, r.secret, header(r, "Webhook-Signature"))),
		),
		line: body("x-line-signature", (text, secret) => hmac("sha256", secret, text, "base64"), (r) =>
			accepted(() => line(r.body, r.secret, header(r, "x-line-signature"))),
		),
		livekit,
		messagebird: messagebirdRequests,
		"modern-treasury": body("X-Signature", (text, secret) => hmac("sha256", secret, text), (r) =>
			accepted(() =>
				new ModernTreasury({ apiKey: "a", organizationID: "b" }).webhooks.validateSignature(r.body, { "X-Signature": header(r, "X-Signature") }, { key: r.secret }),
			),
		),
		mux,
		openai,
		"plivo-v2": plivoURLs,
		"plivo-v3": plivoForms,
		pusher,
		razorpay: body("X-Razorpay-Signature", (text, secret) => hmac("sha256", secret, text), (r) =>
			accepted(() => razorpay.validateWebhookSignature(r.body, header(r, "X-Razorpay-Signature"), r.secret)),
		),
		sendgrid,
		smartcar: body("SC-Signature", (text, secret) => hmac("sha256", secret, text), (r) =>
			accepted(() => smartcar.verifyPayload(r.secret, header(r, "SC-Signature"), JSON.parse(r.body))),
		),
		workos,
	};
}
