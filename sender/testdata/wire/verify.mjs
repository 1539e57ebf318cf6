// Reads deliveries that a sender made, as JSON on standard input, and says for each what others make of it: the function
// that the guide prints, and the libraries standardwebhooks and svix. The last two check the timestamp as well.
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const { Webhook: Standard } = require("standardwebhooks");
const { Webhook: Svix } = require("svix");

// From the guide, as it stands there.
const crypto = require('crypto');

function verifyWebhookSignature(payload, signature, secret) {
  const hmac = crypto.createHmac('sha256', secret);
  const calculatedSignature = hmac.update(payload).digest('hex');
  return crypto.timingSafeEqual(
    Buffer.from(signature),
    Buffer.from(calculatedSignature)
  );
}

const accepted = (check) => {
	try {
		return check() !== false;
	} catch {
		return false;
	}
};

const deliveries = JSON.parse(await new Response(process.stdin).text());
const verdicts = deliveries.map(({ secret, headers, body: encoded }) => {
	const body = Buffer.from(encoded, "base64");
	// A secret in the form of Standard Webhooks is base64 for both libraries; of any other they are given the bytes.
	const svixSecret = secret.startsWith("whsec_") ? secret : Buffer.from(secret).toString("base64");
	const standard = secret.startsWith("whsec_") ? new Standard(secret) : new Standard(Buffer.from(secret), { format: "raw" });
	return {
		guide: accepted(() => verifyWebhookSignature(body, headers["x-videocloud-signature"], secret)),
		standardwebhooks: accepted(() => standard.verify(body, headers)),
		svix: accepted(() => new Svix(svixSecret).verify(body, headers)),
	};
});
console.log(JSON.stringify(verdicts));
