// Runs the guide's example with the delivery on standard input: node ed25519.mjs <file>
import assert from 'node:assert/strict';
import { text } from 'node:stream/consumers';

const { receive } = await import(process.argv[2]);
const { body, headers, key, otherKey } = JSON.parse(await text(process.stdin));
assert.equal(receive(body, headers, key).event, 'video.uploaded');
assert.equal(receive(body, headers, [otherKey, key]).id, headers['webhook-id']);
const { WebhookVerificationError } = await import('@videocloud/sdk');
assert.throws(() => receive(`${body} `, headers, key), WebhookVerificationError);
assert.throws(() => receive(body, headers, [otherKey]), WebhookVerificationError);
