// What a JavaScript programmer writes without thinking, against a running API: null clears, undefined leaves, and nothing is changed on the way.
import assert from 'node:assert/strict';
import { pathToFileURL } from 'node:url';

const { VideoCloud } = await import(pathToFileURL(process.argv[2]));
const client = new VideoCloud();
const given = { description: 'Production', headers: { 'X-Environment': 'production' }, rateLimit: 50, maxInFlight: 4, retry: ['0s', '5m'], timeout: '5s', metadata: { team: 'video' },
  filter: 'data.size > 1', ordered: true, signing: 'ed25519', auth: { type: 'bearer', token: 'hunter2' } };
const webhook = await client.webhooks.register({ url: 'http://127.0.0.1:9/', events: ['*'], ...given });
const fields = Object.keys(given).sort();
const there = (w) => fields.filter((f) => w[f] !== undefined);
assert.deepEqual(there(webhook), fields);
assert.deepEqual(there(await client.webhooks.update(webhook.id, Object.fromEntries(fields.map((f) => [f, undefined])))), fields);
assert.deepEqual(there(await client.webhooks.update(webhook.id, Object.fromEntries(fields.map((f) => [f, null])))), []);
let account = await client.accounts.update({ name: 'Shop', notifyEmail: ['a@example.com'], notifyUrl: 'http://127.0.0.1:9/', notifySecret: 'your_webhook_secret' });
assert.ok(account.name && account.notifyEmail && account.notifyUrl);
account = await client.accounts.update({ name: null, notifyEmail: null, notifyUrl: null });
assert.deepEqual([account.name, account.notifyEmail, account.notifyUrl], [undefined, undefined, undefined]);
// Without it the answer to a refused event would be one to another: 2 ** 53 + 1 is 2 ** 53, and NaN is null.
for (const size of [2n ** 53n + 1n, NaN]) {
  await assert.rejects(client.events.publish({ event: 'video.deleted', data: { size } }), TypeError);
}
// A local time is a moment: JavaScript's Date has one.
await client.webhooks.replay(webhook.id, { since: new Date(2024, 2, 31, 12), dryRun: true });
await client.webhooks.delete(webhook.id);
