// The request of a delivery as a curl command, with values of secrets hidden.
import { shell } from './text.js';

export const envelope = (event, data) => `{"event":${JSON.stringify(event.event)},"timestamp":${JSON.stringify(event.timestamp)},"data":${data}}`;

export function curl(delivery, event, data, webhook, brand) {
	const last = delivery.attempts?.at(-1);
	const headers = [
		'Content-Type: application/json', `X-${brand}-Event: ${event.event}`, `X-${brand}-Event-Id: ${event.id}`, `X-${brand}-Attempt: ${last?.number ?? 1}`,
		`X-${brand}-Signature: …`, `webhook-id: ${event.id}`, `webhook-timestamp: ${last ? Math.floor(new Date(last.at) / 1000) : '…'}`, 'webhook-signature: v1,…',
		...(webhook.headers ?? []).map((name) => `${name}: …`),
	];
	if (webhook.auth && webhook.auth.type !== 'mtls') headers.push('Authorization: …');
	return [`curl -X POST ${shell(webhook.url)}`, ...headers.map((h) => `-H ${shell(h)}`), `--data-raw ${shell(envelope(event, data))}`].join(' \\\n  ');
}
