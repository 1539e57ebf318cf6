// Reads requests that the project signed, as a JSON array of { scheme, secret, url, headers, body }. Prints what the libraries say of
// them, and requests of the libraries' own with their verdict, forged ones among them:
// { now, verdicts: [bool], requests: [{ scheme, secret, url, headers, body, change, accepted }] }.
import { readFileSync } from "node:fs";
import { libraries, now } from "./libraries.mjs";

const verdicts = [];
for (const r of JSON.parse(readFileSync(0, "utf8"))) verdicts.push(await libraries[r.scheme].accepts(r));

const requests = [];
for (const [scheme, library] of Object.entries(libraries))
	for await (const { may, ...genuine } of library.samples()) {
		const accepted = await library.accepts(genuine);
		if (!accepted && !may) throw new Error(`the library of ${scheme} does not accept its own ${JSON.stringify(genuine)}`);
		if (!accepted) continue;
		requests.push({ scheme, change: "none", accepted, ...genuine });
		for (const [change, forged] of forgeries(genuine)) {
			if (await library.accepts(forged)) throw new Error(`the library of ${scheme} accepts ${change}: ${JSON.stringify(forged)}`);
			requests.push({ scheme, change, accepted: false, ...forged });
		}
	}
process.stdout.write(JSON.stringify({ now, verdicts, requests }));

// forgeries are a request after one change to what is signed, or to the signature.
function* forgeries({ signedFields = [], unsignedBody, unsignedHost, ...r }) {
	for (const name of signedFields) {
		const fields = new URLSearchParams(r.body);
		fields.set(name, another(fields.get(name)));
		yield ["another " + name, { ...r, body: fields.toString() }];
	}
	const whole = signedFields.length === 0 && !unsignedBody;
	if (whole) yield ["a longer body", { ...r, body: r.body + "&x=y" }];
	if (whole && /[A-Za-z0-9]/.test(r.body)) yield ["another body", { ...r, body: r.body.replace(/[A-Za-z0-9]/, (c) => (c === "x" ? "z" : "x")) }];
	yield ["another secret", { ...r, secret: another(r.secret) }];
	if (r.url && !unsignedHost) yield ["another URL", { ...r, url: r.url.replace("example.com", "example.org").replace("EXAMPLE.com", "example.org") }];
	for (const [name, value] of Object.entries(r.headers)) {
		if (/timestamp$/i.test(name)) yield ["another timestamp", { ...r, headers: { ...r.headers, [name]: String(Number(value) - 1) } }];
		if (/-id$/i.test(name)) yield ["another ID", { ...r, headers: { ...r.headers, [name]: value + "1" } }];
		if (/signature/i.test(name) && !/timestamp/i.test(name)) {
			// The digit before the last ones: the very last of base64 may hold bits that mean nothing.
			const at = value.replace(/[^A-Za-z0-9]+$/, "").replace(/,v0=00$/, "").length - 4;
			const forged = value.slice(0, at) + (value[at] === "0" ? "1" : "0") + value.slice(at + 1);
			yield ["another signature", { ...r, headers: { ...r.headers, [name]: forged } }];
			yield ["no signature", { ...r, headers: { ...r.headers, [name]: "" } }];
		}
	}
}

function another(secret) {
	const at = Math.floor(secret.length / 2);
	return secret.slice(0, at) + (secret[at] === "a" ? "b" : "a") + secret.slice(at + 1);
}
