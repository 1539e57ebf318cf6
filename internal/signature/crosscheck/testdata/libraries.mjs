// The official libraries, each as { accepts, samples }: whether it takes a request for genuine, and requests that it signed or,
// where it can only verify, that it accepted.
import { createHash, createHmac, generateKeyPairSync, sign as signWithKey } from "node:crypto";
import { createRequire } from "node:module";
import querystring from "node:querystring";

// now is everybody's clock, in seconds: some libraries ask for the time themselves.
export const now = 1_700_000_000;
const RealDate = Date;
globalThis.Date = class extends RealDate {
	constructor(...args) {
		if (args.length === 0) super(now * 1000);
		else super(...args);
	}
	static now() {
		return now * 1000;
	}
};

const require = createRequire(import.meta.url);
const { sign: octokitSign, verify: octokitVerify } = await import("@octokit/webhooks-methods");
const Stripe = require("stripe");
const discord = require("discord-interactions");
const sanity = require("@sanity/webhook");
const standardwebhooks = require("standardwebhooks");
const svix = require("svix");
const twilio = require("twilio");
const { Paddle } = require("@paddle/paddle-node-sdk");
const { WebhooksHelper } = require("square");
const { providers } = await import("./providers.mjs");

const documents = [
	"{}",
	'{"id":"evt_1","type":"video.uploaded"}',
	'{"a":12345678901234567890}',
	"héllo, 🦀 world!",
	JSON.stringify({ long: "y".repeat(3000) }),
	"a\r\nb",
];

const hmac = (algorithm, key, text, encoding) => createHmac(algorithm, key).update(text).digest(encoding);
const throwsNot = async (check) => {
	try {
		return (await check()) !== false;
	} catch {
		return false;
	}
};

const whsec = "whsec_" + Buffer.from("a key of thirty-two bytes, base64").toString("base64");

// standard is what standardwebhooks and svix have in common.
const standard = (Webhook, prefix) => ({
	accepts: (r) =>
		throwsNot(() => {
			try {
				new Webhook(r.secret).verify(r.body, r.headers);
			} catch (error) {
				if (!(error instanceof SyntaxError)) throw error; // after the signature it parses the body, which need not be JSON
			}
		}),
	async *samples() {
		for (const body of ["", ...documents])
			for (const age of [0, 299, -299]) {
				const at = now - age;
				const signature = new Webhook(whsec).sign("msg_1", new Date(at * 1000), body);
				const others = "v1,AAAA v2,anything ";
				for (const header of [signature, others + signature])
					yield {
						secret: whsec,
						headers: { [prefix + "-id"]: "msg_1", [prefix + "-timestamp"]: String(at), [prefix + "-signature"]: header },
						body,
					};
			}
	},
});

const square = {
	accepts: (r) =>
		throwsNot(() =>
			WebhooksHelper.verifySignature({
				requestBody: r.body,
				signatureHeader: r.headers["x-square-hmacsha256-signature"],
				signatureKey: r.secret,
				notificationUrl: r.url,
			}),
		),
	async *samples() {
		for (const body of documents)
			for (const url of ["https://example.com/hook", "https://example.com/hook?a=b&c=%20d"])
				yield { secret: "key", url, headers: { "x-square-hmacsha256-signature": hmac("sha256", "key", url + body, "base64") }, body };
	},
};

const stripe = {
	accepts: (r) => throwsNot(() => new Stripe("sk").webhooks.signature.verifyHeader(r.body, r.headers["Stripe-Signature"], r.secret, 300)),
	async *samples() {
		const sign = (payload, timestamp, secret = "whsec_test") =>
			new Stripe("sk").webhooks.generateTestHeaderString({ payload, secret, timestamp });
		for (const body of documents) {
			for (const age of [0, 299, 300]) yield { secret: "whsec_test", headers: { "Stripe-Signature": sign(body, now - age) }, body };
			// While a secret is rotated, there is a signature by each.
			const old = sign(body, now, "whsec_old");
			yield { secret: "whsec_test", headers: { "Stripe-Signature": old + sign(body, now).replace(/^t=\d+/, "") + ",v0=00" }, body };
		}
	},
};

const github = {
	accepts: (r) => throwsNot(() => octokitVerify(r.secret, r.body, r.headers["X-Hub-Signature-256"])),
	async *samples() {
		for (const body of documents) yield { secret: "a secret", headers: { "X-Hub-Signature-256": await octokitSign("a secret", body) }, body };
	},
};

const sanityWebhook = {
	accepts: (r) => throwsNot(() => sanity.isValidSignature(r.body, r.headers["sanity-webhook-signature"], r.secret)),
	async *samples() {
		for (const body of documents)
			yield { secret: "secret", headers: { "sanity-webhook-signature": await sanity.encodeSignatureHeader(body, now * 1000, "secret") }, body };
	},
};

const paddle = {
	accepts: (r) => throwsNot(() => new Paddle("key").webhooks.isSignatureValid(r.body, r.secret, r.headers["Paddle-Signature"])),
	async *samples() {
		for (const pad of documents)
			for (const age of [0, 4]) {
				const body = JSON.stringify({ event_id: "evt_1", event_type: "transaction.created", data: { id: "t" }, pad });
				const at = now - age;
				yield { secret: "pdl_1", headers: { "Paddle-Signature": `ts=${at};h1=${hmac("sha256", "pdl_1", `${at}:${body}`, "hex")}` }, body };
			}
	},
};

const discordInteractions = {
	accepts: (r) => throwsNot(() => discord.verifyKey(Buffer.from(r.body), r.headers["X-Signature-Ed25519"], r.headers["X-Signature-Timestamp"], r.secret)),
	async *samples() {
		for (const body of ["", ...documents]) {
			const { publicKey, privateKey } = generateKeyPairSync("ed25519");
			const signature = signWithKey(null, Buffer.from(String(now) + body), privateKey).toString("hex");
			yield {
				secret: publicKey.export({ format: "der", type: "spki" }).subarray(-32).toString("hex"),
				headers: { "X-Signature-Ed25519": signature, "X-Signature-Timestamp": String(now) },
				body,
			};
		}
	},
};

const twilioForm = "application/x-www-form-urlencoded";
const twilioWebhook = {
	accepts: (r) =>
		throwsNot(() => {
			const signature = r.headers["X-Twilio-Signature"];
			if (r.headers["Content-Type"] !== twilioForm) return twilio.validateRequestWithBody(r.secret, signature, r.url, r.body);
			return twilio.validateRequest(r.secret, signature, r.url, { ...querystring.parse(r.body) });
		}),
	async *samples() {
		const forms = [
			{ A: "1", B: "2" },
			{},
			{ Body: "It's + 100%&=é🦀", From: "+1" },
			{ Z: ["b", "a", "b"], A: "" },
			{ "a b": "c d" },
			{ reason: "x", Reason: "y", ReasonConferenceEnded: "z" },
		];
		const urls = [
			"https://example.com",
			"https://example.com/hook",
			"https://EXAMPLE.com/hook",
			"https://example.com:8443/hook",
			"https://example.com/hook?",
			"https://example.com/hook?flag",
			"https://example.com/hook?a=1&b=2&a=3",
			"https://example.com/hook?a=b&c=d%20e",
			"https://example.com/hook?Body=It's+amazing",
			"https://example.com/hook?redirect=https://x.y/z?q=1",
			"https://example.com/h%C3%A9?q=%C3%A9",
			'http://example.com/hook?x=<y>"',
		];
		for (const form of forms)
			for (const url of urls) {
				for (const signed of spellings(url)) {
					let text = signed;
					for (const name of Object.keys(form).sort()) text += [...new Set([form[name]].flat())].sort().map((value) => name + value).join("");
					const body = querystring.stringify(form);
					const headers = { "Content-Type": twilioForm, "X-Twilio-Signature": hmac("sha1", "token", text, "base64") };
					// Not every spelling is one that the library tries.
					yield { secret: "token", url, headers, body, may: true };
				}
				const body = JSON.stringify(form);
				const whole = url + (url.includes("?") ? "&" : "?") + "bodySHA256=" + createHash("sha256").update(body).digest("hex");
				yield {
					secret: "token",
					url: whole,
					headers: { "Content-Type": "application/json", "X-Twilio-Signature": twilio.getExpectedTwilioSignature("token", whole, {}) },
					body,
				};
			}
	},
};

// spellings are the ways in which Twilio may have written a URL when it signed.
function spellings(url) {
	const all = new Set([url]);
	const parsed = new URL(url);
	all.add(parsed.toString());
	const bare = new URL(url);
	bare.port = "";
	all.add(bare.toString());
	const port = parsed.port || (parsed.protocol === "https:" ? "443" : "80");
	all.add(`${parsed.protocol}//${parsed.hostname}:${port}${parsed.pathname}${parsed.search}`);
	if (parsed.search) {
		const query = querystring.stringify(querystring.parse(parsed.search.slice(1)));
		const legacy = new URL(url);
		legacy.search = "";
		all.add(legacy.toString() + "?" + query);
	}
	return all;
}

export const libraries = {
	discord: discordInteractions,
	github,
	paddle,
	sanity: sanityWebhook,
	square,
	standard: standard(standardwebhooks.Webhook, "webhook"),
	stripe,
	svix: standard(svix.Webhook, "svix"),
	twilio: twilioWebhook,
	...(await providers(now)),
};
