// Against a running API, which must be allowed to deliver to loopback: VIDEOCLOUD_BASE_URL, and VIDEOCLOUD_API_KEY.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { VideoCloud, VideoCloudError, verify } from '@videocloud/sdk';

const baseUrl = process.env.VIDEOCLOUD_BASE_URL;
const apiKey = process.env.VIDEOCLOUD_API_KEY ?? 'videocloud-demo-key';
const skip = baseUrl ? false : 'VIDEOCLOUD_BASE_URL is not set';
const secret = 'your_webhook_secret';
const uploaded = {
  videoId: 'vid_123456', title: 'My Video', size: 10485760, duration: 120, format: 'mp4', userId: 'usr_123456', status: 'processing',
};

describe('a running API', { skip, timeout: 300_000 }, () => {
  const client = skip ? undefined : new VideoCloud({ apiKey, baseUrl });
  const received = [];
  let receiver, url, webhook;

  before(async () => {
    receiver = createServer((req, res) => {
      const chunks = [];
      req.on('data', (chunk) => chunks.push(chunk));
      req.on('end', () => {
        received.push({ path: req.url, headers: req.headers, body: Buffer.concat(chunks) });
        res.end('OK');
      });
    });
    await new Promise((resolve) => receiver.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${receiver.address().port}/webhooks`;
    webhook = await client.webhooks.register({ url, events: ['video.uploaded', 'video.processed'], secret });
  });

  after(async () => {
    await client.webhooks.delete(webhook.id);
    receiver.closeAllConnections();
    receiver.close();
  });

  /** Asks until the answer is there. */
  async function until(ask) {
    for (;;) {
      const answer = await ask();
      if (answer) return answer;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  const arrival = (eventId, attempts = 1) =>
    until(() => received.filter((r) => r.headers['webhook-id'] === eventId)[attempts - 1]);

  /** The delivery of a published event to our webhook, once it has ended. */
  const ended = (published) => {
    const { id } = published.deliveries.find((d) => d.webhookId === webhook.id);
    return until(async () => {
      const delivery = await client.deliveries.get(id);
      return ['pending', 'retrying'].includes(delivery.state) ? undefined : delivery;
    });
  };

  test("the webhook is the guide's", async () => {
    const { id, createdAt, ...rest } = webhook;
    assert.match(id, /^whk_/);
    assert.ok(Date.parse(createdAt) > 0);
    assert.deepEqual(rest, { url, events: ['video.uploaded', 'video.processed'], status: 'active' });
    assert.deepEqual(Object.keys(webhook), ['id', 'url', 'events', 'status', 'createdAt']);
    assert.equal((await client.webhooks.get(id)).url, url);
    const ids = [];
    for await (const w of client.webhooks.list({ limit: 1 })) ids.push(w.id);
    assert.ok(ids.includes(id));
    assert.equal((await client.webhooks.list({ limit: 1 })).items.length, 1);
  });

  test('publish, receive, verify, look', async () => {
    const published = await client.events.publish({ event: 'video.uploaded', data: uploaded });
    assert.equal(published.duplicate, false);
    const { headers, body } = await arrival(published.id);
    assert.equal(client.webhooks.verifySignature(body, headers['x-videocloud-signature'], secret), true);
    assert.equal(client.webhooks.verifySignature(body, headers['x-videocloud-signature'], 'another_webhook_secret'), false);
    assert.deepEqual(JSON.parse(body), { event: 'video.uploaded', timestamp: published.timestamp, data: uploaded });
    assert.deepEqual(verify(body, headers, secret), { ...JSON.parse(body), id: published.id });
    assert.equal(headers['x-videocloud-event-id'], published.id);

    const delivery = await ended(published);
    assert.equal(delivery.state, 'succeeded');
    assert.equal(delivery.attempts[0].statusCode, 200);
    const record = await client.events.get(published.id);
    assert.deepEqual(record.data, uploaded);
    assert.ok(record.deliveries.some((d) => d.id === delivery.id));
    const { items } = await client.webhooks.deliveries(webhook.id, { state: 'succeeded' });
    assert.ok(items.some((d) => d.id === delivery.id));
    assert.equal((await client.webhooks.get(webhook.id)).lastDelivery.success, true);

    await client.deliveries.retry(delivery.id);
    await arrival(published.id, 2);
  });

  test('the same ID again', async () => {
    const event = { event: 'video.uploaded', data: uploaded, id: `js_${Date.now()}` };
    assert.equal((await client.events.publish(event)).duplicate, false);
    assert.equal((await client.events.publish(event)).duplicate, true);
    await assert.rejects(client.events.publish({ ...event, data: { ...uploaded, title: 'Another' } }), { code: 'conflict', status: 409 });
  });

  test('a batch', async () => {
    const [good, bad] = await client.events.publishBatch([{ event: 'video.uploaded', data: uploaded }, { event: 'video.burned', data: {} }]);
    await arrival(good.id);
    assert.equal(bad.error.code, 'unknown_event_type');
  });

  test('a test event', async () => {
    const published = await client.webhooks.test(webhook.id);
    const { headers, body } = await arrival(published.id);
    assert.equal(verify(body, headers, secret).event, 'webhook.test');
  });

  test('pause and resume', async () => {
    assert.equal((await client.webhooks.pause(webhook.id)).status, 'paused');
    const published = await client.events.publish({ event: 'video.uploaded', data: uploaded });
    const { id } = published.deliveries.find((d) => d.webhookId === webhook.id);
    assert.equal((await client.deliveries.get(id)).state, 'pending');
    assert.equal((await client.webhooks.resume(webhook.id)).status, 'active');
    await arrival(published.id);
  });

  test('a new secret signs the next event', async () => {
    await client.webhooks.update(webhook.id, { secret: 'new_webhook_secret', secretOverlap: '1h', description: 'rotated' });
    const published = await client.events.publish({ event: 'video.uploaded', data: uploaded });
    const { headers, body } = await arrival(published.id);
    assert.equal(client.webhooks.verifySignature(body, headers['x-videocloud-signature'], 'new_webhook_secret'), true);
    verify(body, headers, 'new_webhook_secret');
    verify(body, headers, secret); // still, for an hour
  });

  test('replay', async () => {
    const since = new Date(Date.now() - 3_600_000);
    const counted = await client.webhooks.replay(webhook.id, { since, state: 'all', dryRun: true });
    assert.equal(counted.id, undefined);
    assert.ok(counted.matched > 0);
    const before = received.length;
    const started = await client.webhooks.replay(webhook.id, { since, state: 'all', events: ['video.uploaded'] });
    const done = await until(async () => {
      const replay = await client.replays.get(started.id);
      return replay.state === 'done' ? replay : undefined;
    });
    assert.ok(done.sent > 0);
    await until(() => received.length > before);
  });

  test('a secret that the API makes', async () => {
    const made = await client.webhooks.register({ url: `${url}/made`, events: ['user.*'] });
    assert.match(made.secret, /^whsec_/);
    const published = await client.events.publish({ event: 'user.deleted', data: { userId: 'usr_1' } });
    const { headers, body } = await until(() => received.find((r) => r.path.endsWith('/made') && r.headers['webhook-id'] === published.id));
    assert.equal(client.webhooks.verifySignature(body, headers['x-videocloud-signature'], made.secret), true);
    assert.equal(verify(body, headers, made.secret).id, published.id);
    await client.webhooks.delete(made.id);
    await assert.rejects(client.webhooks.get(made.id), { code: 'not_found', status: 404 });
  });

  test('the catalogue and refusals', async () => {
    const types = await client.eventTypes.list();
    assert.ok(types.some((t) => t.name === 'comment.created' && t.group === 'comment'));
    const error = await client.webhooks.register({ url: 'not a URL', events: ['video.*'] }).catch((e) => e);
    assert.ok(error instanceof VideoCloudError);
    assert.deepEqual([error.status, error.field], [422, 'url']);
    await assert.rejects(new VideoCloud({ apiKey: 'no-such-key', baseUrl }).webhooks.get('whk_1'), { code: 'unauthorized', status: 401 });
  });
});
