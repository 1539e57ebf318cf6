import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { VideoCloud, VideoCloudError } from '@videocloud/sdk';
import { ok, refused, stub, unavailable } from './stub.mjs';

const webhook = {
  id: 'whk_123456', url: 'https://your-server.com/webhooks', events: ['video.uploaded'], status: 'active', createdAt: '2024-03-31T12:00:00Z',
};
const published = { id: 'evt_1', event: 'video.deleted', timestamp: '2024-03-31T12:00:00Z', deliveries: [], duplicate: false };
const since = '2024-03-31T12:00:00.000Z';
/** The only POSTs that do nothing twice, and the only other that would: the update of the cases has an overlap. */
const [repeatedPosts, onceOthers] = [['events.publish', 'events.publishBatch', 'webhooks.testFilter'], ['webhooks.update']];

describe('every call', () => {
  const cases = {
    'webhooks.register': ['POST', '/webhooks', (c) => c.webhooks.register({ url: webhook.url, events: ['video.*'], secret: 'your_webhook_secret' }),
      { url: webhook.url, events: ['video.*'], secret: 'your_webhook_secret' }],
    'events.list': ['GET', '/events?event=video.deleted&since=2024-03-31T12%3A00%3A00.000Z&limit=2',
      (c) => c.events.list({ event: 'video.deleted', since: new Date('2024-03-31T12:00:00Z'), limit: 2 })],
    'webhooks.list': ['GET', '/webhooks?limit=2&cursor=a%26b', (c) => c.webhooks.list({ limit: 2, cursor: 'a&b' })],
    'webhooks.get': ['GET', '/webhooks/whk_1', (c) => c.webhooks.get('whk_1')],
    'webhooks.update': ['PUT', '/webhooks/whk_1', (c) => c.webhooks.update('whk_1', { secret: 'new_webhook_secret', secretOverlap: '24h' }),
      { secret: 'new_webhook_secret', secretOverlap: '24h' }],
    'webhooks.delete': ['DELETE', '/webhooks/whk_1', (c) => c.webhooks.delete('whk_1')],
    'webhooks.test': ['POST', '/webhooks/whk_1/test', (c) => c.webhooks.test('whk_1')],
    'webhooks.testFilter': ['POST', '/webhooks/filter-test', (c) => c.webhooks.testFilter({ filter: 'data.size > 1', event: 'video.uploaded', data: { size: 2 } }),
      { filter: 'data.size > 1', event: 'video.uploaded', data: { size: 2 } }],
    'webhooks.pause': ['PUT', '/webhooks/whk_1', (c) => c.webhooks.pause('whk_1'), { status: 'paused' }],
    'webhooks.resume': ['PUT', '/webhooks/whk_1', (c) => c.webhooks.resume('whk_1'), { status: 'active' }],
    'webhooks.replay': ['POST', '/webhooks/whk_1/replay', (c) => c.webhooks.replay('whk_1', { since: new Date(since), state: 'all' }), { since, state: 'all' }],
    'webhooks.deliveries': ['GET', '/webhooks/whk_1/deliveries?state=failed&since=2024-03-31T12%3A00%3A00.000Z',
      (c) => c.webhooks.deliveries('whk_1', { state: 'failed', since: new Date(since) })],
    'events.publish': ['POST', '/events', (c) => c.events.publish({ event: 'video.deleted', data: { videoId: 'vid_1' }, id: 'evt_1', timestamp: new Date(since) }),
      { event: 'video.deleted', data: { videoId: 'vid_1' }, id: 'evt_1', timestamp: since }],
    'events.publishBatch': ['POST', '/events/batch', (c) => c.events.publishBatch([{ event: 'video.deleted', data: {}, id: 'a' }]),
      { events: [{ event: 'video.deleted', data: {}, id: 'a' }] }],
    'events.get': ['GET', '/events/evt_1', (c) => c.events.get('evt_1')],
    'deliveries.get': ['GET', '/deliveries/dlv_1', (c) => c.deliveries.get('dlv_1')],
    'deliveries.retry': ['POST', '/deliveries/dlv_1/retry', (c) => c.deliveries.retry('dlv_1')],
    'deliveries.list': ['GET', '/webhooks/whk_1/deliveries', (c) => c.deliveries.list('whk_1')],
    'deliveries.search': ['GET', '/deliveries?state=failed&eventId=evt_1', (c) => c.deliveries.search({ state: 'failed', eventId: 'evt_1' })],
    'replays.get': ['GET', '/replays/rpl_1', (c) => c.replays.get('rpl_1')],
    'eventTypes.list': ['GET', '/event-types', (c) => c.eventTypes.list()],
    'webhooks.retryFailed': ['POST', '/webhooks/whk_1/retry', (c) => c.webhooks.retryFailed('whk_1', { event: 'video.deleted' }), {"state": "failed", "event": "video.deleted"}],
    'replays.list': ['GET', '/replays?limit=2', (c) => c.replays.list({ limit: 2 })],
    'replays.cancel': ['DELETE', '/replays/rpl_1', (c) => c.replays.cancel('rpl_1')],
    'apiKeys.create': ['POST', '/api-keys', (c) => c.apiKeys.create({ role: 'read', expiresIn: '1h0m0s' }), {"role": "read", "expiresIn": "1h0m0s"}],
    'apiKeys.list': ['GET', '/api-keys?limit=2', (c) => c.apiKeys.list({ limit: 2 })],
    'stats.get': ['GET', '/stats?window=1h', (c) => c.stats.get({ window: '1h' })],
    'webhooks.stats': ['GET', '/webhooks/whk_1/stats', (c) => c.webhooks.stats('whk_1')],
    'accounts.get': ['GET', '/account', (c) => c.accounts.get()],
    'accounts.update': ['PUT', '/account', (c) => c.accounts.update({ notifyEmail: [], notifyUrl: null }), {"notifyEmail": [], "notifyUrl": null}],
    'accounts.confirm': ['POST', '/account/confirm', (c) => c.accounts.confirm('t'), {"token": "t"}],
    'accounts.delete': ['DELETE', '/accounts/shop.one', (c) => c.accounts.delete('shop.one')],
    'accounts.list': ['GET', '/accounts?limit=2', (c) => c.accounts.list({ limit: 2 })],
    'events.delete': ['DELETE', '/events/evt_1', (c) => c.events.delete('evt_1')],
    'eventTypes.put': ['PUT', '/event-types/order.paid', (c) => c.eventTypes.put('order.paid', { schema: null }), {"schema": null}],
    'eventTypes.delete': ['DELETE', '/event-types/order.paid', (c) => c.eventTypes.delete('order.paid')],
    'apiKeys.delete': ['DELETE', '/api-keys/key_1', (c) => c.apiKeys.delete('key_1')],
    'portalLinks.create': ['POST', '/portal-links', (c) => c.portalLinks.create({ webhookId: 'whk_1' }), {"webhookId": "whk_1"}],
  };
  for (const [name, [method, url, call, body]] of Object.entries(cases)) {
    test(name, async (t) => {
      const api = await stub(t, ok({ items: [] }));
      await call(api.client());
      const [request] = api.requests;
      assert.deepEqual([request.method, request.url], [method, url]);
      assert.deepEqual(request.text === '' ? undefined : request.body, body);
      assert.equal(request.headers.authorization, 'Bearer test-key');
      assert.equal(request.headers['content-type'], body ? 'application/json' : undefined);
      assert.match(request.headers['user-agent'], /^videocloud-js\//);
    });

    const repeated = method === 'POST' ? repeatedPosts.includes(name) : !onceOthers.includes(name);
    test(`${name} is ${repeated ? '' : 'not '}repeated`, async (t) => {
      const api = await stub(t, unavailable, ok({ items: [] }));
      const result = await Promise.resolve(call(api.client())).then(() => 'done', (error) => error.code);
      assert.deepEqual([result, api.requests.length], repeated ? ['done', 2] : ['unavailable', 1]);
    });
  }

  test('the operations listed for all SDKs are these', async () => {
    const { readFileSync } = await import('node:fs');
    const { operations } = JSON.parse(readFileSync(new URL('../../testdata/operations.json', import.meta.url)));
    for (const { method, path, javascript } of operations) {
      assert.ok(cases[javascript], `${javascript} is tested`);
      const [caseMethod, url] = cases[javascript];
      assert.equal(`${caseMethod} ${url.split('?')[0].replace(/\/(whk|evt|dlv|rpl|key)_1/, '/{id}').replace('/order.paid', '/{name}').replace('/shop.one', '/{account}')}`, `${method} ${path}`);
    }
  });
});

describe('answers', () => {
  test("the guide's registration", async (t) => {
    const api = await stub(t, ok(webhook, 201));
    assert.deepEqual(await api.client().webhooks.register({ url: webhook.url, events: webhook.events }), webhook);
  });

  test('a batch keeps its order, errors included', async (t) => {
    const failure = { error: { code: 'invalid_field', message: 'data must be an object', field: 'data' } };
    const api = await stub(t, { ...ok({ items: [published, failure] }, 202), headers: { 'X-Request-Id': 'req_1' } });
    const [first, second] = await api.client().events.publishBatch([{ event: 'video.deleted', data: {} }, { event: 'video.deleted', data: {} }]);
    assert.equal(first.id, 'evt_1');
    assert.deepEqual(second.error, { ...failure.error, requestId: 'req_1' });
    const ids = api.requests[0].body.events.map((e) => e.id);
    assert.equal(new Set(ids).size, 2);
  });

  test('await gives a page, for await every item', async (t) => {
    const api = await stub(t, ({ url }) => ok(url.includes('cursor=next') ? { items: [{ id: 'c' }] } : { items: [{ id: 'a' }, { id: 'b' }], nextCursor: 'next' }));
    const client = api.client();
    assert.deepEqual(await client.webhooks.list(), { items: [{ id: 'a' }, { id: 'b' }], nextCursor: 'next' });
    const ids = [];
    for await (const { id } of client.webhooks.deliveries('whk_1', { limit: 2, state: 'failed' })) ids.push(id);
    assert.deepEqual(ids, ['a', 'b', 'c']);
    assert.equal(api.requests.at(-1).url, '/webhooks/whk_1/deliveries?state=failed&limit=2&cursor=next');
  });

  test('a list that nobody uses asks for nothing, and awaited twice asks once', async (t) => {
    const api = await stub(t, ok({ items: [] }));
    const list = api.client().webhooks.list();
    assert.equal(api.requests.length, 0);
    await list;
    await list;
    assert.equal(api.requests.length, 1);
  });
});

describe('errors', () => {
  test('say code, status, field, message and request ID', async (t) => {
    const api = await stub(t, refused(422, { code: 'unsafe_url', message: 'use https', field: 'url' }, { 'X-Request-Id': 'req_1' }));
    const error = await api.client().webhooks.register({ url: 'http://x', events: ['*'] }).catch((e) => e);
    assert.ok(error instanceof VideoCloudError && error instanceof Error);
    const { name, code, status, field, message, requestId } = error;
    assert.deepEqual({ name, code, status, field, message, requestId },
      { name: 'VideoCloudError', code: 'unsafe_url', status: 422, field: 'url', message: 'use https', requestId: 'req_1' });
  });

  for (const [name, answer] of Object.entries({
    'a page of HTML': { status: 404, raw: '<html>' },
    'HTML with 200': { status: 200, raw: '<html>' },
    'JSON that is not the envelope': { status: 200, raw: '[]' },
    'null': { status: 200, raw: 'null' },
    'a redirect': { status: 302, headers: { Location: 'http://127.0.0.1:1/' }, raw: '' },
  })) {
    test(`an answer that is not the API's: ${name}`, async (t) => {
      const api = await stub(t, answer);
      await assert.rejects(api.client().webhooks.get('whk_1'), { code: 'unexpected_response', status: answer.status });
      assert.equal(api.requests.length, 1);
    });
  }

  test('no server', async (t) => {
    const api = await stub(t, ok({}));
    const client = api.client({ baseUrl: 'http://127.0.0.1:1', maxRetries: 0 });
    await assert.rejects(client.webhooks.get('whk_1'), { code: 'connection_error', status: 0 });
  });

  test('no answer in time, in the body too', async (t) => {
    const api = await stub(t, { hang: true });
    await assert.rejects(api.client({ timeoutMs: 20, maxRetries: 0 }).webhooks.get('whk_1'), { code: 'timeout', status: 0 });
    const slow = async (_url, { signal }) => ({ text: () => new Promise((_, no) => signal.addEventListener('abort', () => no(new Error('aborted')))) });
    await assert.rejects(api.client({ timeoutMs: 20, maxRetries: 0, fetch: slow }).webhooks.get('whk_1'), { code: 'timeout' });
  });

  test('wrong settings and missing IDs are told before anything is sent', async (t) => {
    assert.throws(() => new VideoCloud({ apiKey: '' }), /apiKey is missing/);
    assert.throws(() => new VideoCloud({ apiKey: 'k', baseUrl: 'localhost:8080' }), /baseUrl/);
    // What is wrong is said, and never what was given: errors end up in logs.
    for (const apiKey of ['two words', 'tab\t', 'line\nbreak', 'naïve', '\u2026']) {
      assert.throws(() => new VideoCloud({ apiKey }), (e) => e instanceof TypeError && /apiKey/.test(e.message) && !e.message.includes(apiKey));
    }
    assert.throws(() => new VideoCloud({ apiKey: 'k', account: 'a\nb' }), /account/);
    for (const baseUrl of ['ftp://host', 'https://', 'https://user:hunter2@host', 'https://host?key=hunter2', 'https://host/#hunter2', 'https://ho st', 7]) {
      assert.throws(() => new VideoCloud({ apiKey: 'k', baseUrl }), (e) => e instanceof TypeError && /^baseUrl/.test(e.message) && !e.message.includes('hunter2'));
    }
    const api = await stub(t, ok({}));
    for (const id of ['', '..', '.', undefined]) {
      await assert.rejects(async () => api.client().webhooks.delete(id), TypeError);
      await assert.rejects(async () => api.client().eventTypes.put(id, {}), TypeError);
      await assert.rejects(async () => api.client().eventTypes.delete(id), TypeError);
    }
    // NaN is less than nothing: a client with it would never have enough.
    for (const number of [NaN, -1, '3']) {
      assert.throws(() => api.client({ maxRetries: number }), /maxRetries/);
      assert.throws(() => api.client({ timeoutMs: number }), /timeoutMs/);
    }
    await api.client().webhooks.get('a/../b?c');
    assert.deepEqual(api.requests.map((r) => r.url), ['/webhooks/a%2F..%2Fb%3Fc']);
  });
});

describe('retries', () => {
  test('publish repeats the very same event, with the ID made for it', async (t) => {
    const api = await stub(t, unavailable, { drop: true }, refused(429, { code: 'limit_reached', message: '' }, { 'Retry-After': '0' }), ok({ ...published, duplicate: true }, 202));
    const answer = await api.client().events.publish({ event: 'video.deleted', data: { videoId: 'vid_1' } });
    assert.equal(answer.duplicate, true);
    assert.equal(api.requests.length, 4);
    assert.equal(new Set(api.requests.map((r) => r.text)).size, 1);
    assert.match(api.requests[0].body.id, /^evt_[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}$/);
  });

  test('a new publish gets a new ID', async (t) => {
    const api = await stub(t, ok(published, 202));
    const client = api.client();
    for (let i = 0; i < 2; i++) await client.events.publish({ event: 'video.deleted', data: {} });
    assert.notEqual(api.requests[0].body.id, api.requests[1].body.id);
  });

  const repeated = {
    get: (c) => c.webhooks.get('whk_1'),
    list: (c) => c.webhooks.list(),
    update: (c) => c.webhooks.update('whk_1', { description: 'x' }),
    delete: (c) => c.webhooks.delete('whk_1'),
    'publish a batch': (c) => c.events.publishBatch([{ event: 'video.deleted', data: {} }]),
    'register with a key and a secret': (c) =>
      c.webhooks.register({ url: 'https://x', events: ['*'], secret: 'your_webhook_secret' }, { idempotencyKey: 'shop-1' }),
    'dry run': (c) => c.webhooks.replay('whk_1', { since, dryRun: true }),
  };
  for (const [name, call] of Object.entries(repeated)) {
    test(`${name} is repeated`, async (t) => {
      const api = await stub(t, unavailable, ok({ items: [] }));
      await call(api.client());
      assert.equal(api.requests.length, 2);
    });
  }

  const once = {
    register: (c) => c.webhooks.register({ url: 'https://x', events: ['*'] }),
    'register with a key alone': (c) => c.webhooks.register({ url: 'https://x', events: ['*'] }, { idempotencyKey: 'shop-1' }),
    test: (c) => c.webhooks.test('whk_1'),
    'retry a delivery': (c) => c.deliveries.retry('dlv_1'),
    replay: (c) => c.webhooks.replay('whk_1', { since }),
    'rotate a secret with an overlap': (c) => c.webhooks.update('whk_1', { secret: 'new_webhook_secret', secretOverlap: '1h' }),
  };
  for (const [name, call] of Object.entries(once)) {
    test(`${name} is not repeated`, async (t) => {
      const api = await stub(t, unavailable);
      await assert.rejects(call(api.client()), { code: 'unavailable', status: 503, retryAfterSeconds: 0 });
      assert.equal(api.requests.length, 1);
    });
  }

  test('a registration carries its key', async (t) => {
    const api = await stub(t, ok({}, 201));
    await api.client().webhooks.register({ url: 'https://x', events: ['*'] }, { idempotencyKey: 'shop-1' });
    assert.equal(api.requests[0].headers['idempotency-key'], 'shop-1');
    assert.ok(!('idempotencyKey' in api.requests[0].body));
    await assert.rejects(api.client().webhooks.register({ url: 'https://x', events: ['*'] }, { idempotencyKey: 'a\nb' }), /idempotencyKey/);
  });
  test('a refusal is not repeated', async (t) => {
    const api = await stub(t, refused(404, { code: 'not_found', message: '' }));
    await assert.rejects(api.client().webhooks.delete('whk_1'), { code: 'not_found' });
    assert.equal(api.requests.length, 1);
  });

  test('a delete whose first answer was lost has worked', async (t) => {
    const api = await stub(t, { drop: true }, refused(404, { code: 'not_found', message: '' }));
    await api.client().webhooks.delete('whk_1');
    assert.equal(api.requests.length, 2);
  });

  test('end after maxRetries', async (t) => {
    const api = await stub(t, unavailable);
    await assert.rejects(api.client({ maxRetries: 2 }).webhooks.get('whk_1'), { status: 503 });
    assert.equal(api.requests.length, 3);
  });

  for (const [value, seconds] of [['0', 0], ['2.5', 2.5], ['Thu, 01 Jan 1970 00:00:00 GMT', 0], ['-1', undefined], ['soon 1', undefined], ['1e3', undefined], ['', undefined]]) {
    test(`Retry-After: ${value}`, async (t) => {
      const api = await stub(t, refused(503, { code: 'unavailable', message: '' }, { 'Retry-After': value }));
      await assert.rejects(api.client({ maxRetries: 0 }).webhooks.get('whk_1'), (e) => e.retryAfterSeconds === seconds);
    });
  }

  test('do not wait for a server that asks for an hour', async (t) => {
    const api = await stub(t, refused(503, { code: 'unavailable', message: '' }, { 'Retry-After': '3600' }));
    await assert.rejects(api.client().webhooks.get('whk_1'), { retryAfterSeconds: 3600 });
    assert.equal(api.requests.length, 1);
  });
});

describe('AbortSignal', () => {
  test('ends a request that hangs', { timeout: 120_000 }, async (t) => {
    const api = await stub(t, { hang: true });
    const abort = new AbortController();
    const call = api.client({ timeoutMs: Infinity }).webhooks.get('whk_1', { signal: abort.signal });
    setTimeout(() => abort.abort(), 10);
    await assert.rejects(call, { name: 'AbortError' });
    assert.ok(api.requests.length <= 1);
  });

  test('ends the wait between tries', async (t) => {
    const api = await stub(t, refused(503, { code: 'unavailable', message: '' }, { 'Retry-After': '60' }));
    const abort = new AbortController();
    const fetch = async (...args) => {
      const response = await globalThis.fetch(...args);
      setTimeout(() => abort.abort(new Error('enough')), 10);
      return response;
    };
    await assert.rejects(api.client({ fetch }).webhooks.get('whk_1', { signal: abort.signal }), { message: 'enough' });
    assert.equal(api.requests.length, 1);
  });

  test('that is over beforehand sends nothing', async (t) => {
    const api = await stub(t, ok({}));
    await assert.rejects(api.client().events.publish({ event: 'video.deleted', data: {} }, { signal: AbortSignal.abort() }), { name: 'AbortError' });
    await assert.rejects(async () => api.client().webhooks.list({ signal: AbortSignal.abort() }), { name: 'AbortError' });
    assert.equal(api.requests.length, 0);
  });
});

test('settings: base URL with a path, account, environment', async (t) => {
  const api = await stub(t, ok({ items: [] }));
  await api.client({ baseUrl: `${api.baseUrl}/v1/`, account: 'acme' }).eventTypes.list();
  assert.equal(api.requests[0].url, '/v1/event-types');
  assert.equal(api.requests[0].headers['x-videocloud-account'], 'acme');
  const before = { ...process.env };
  t.after(() => {
    for (const name of ['VIDEOCLOUD_BASE_URL', 'VIDEOCLOUD_API_KEY']) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
  });
  process.env.VIDEOCLOUD_BASE_URL = api.baseUrl;
  process.env.VIDEOCLOUD_API_KEY = 'env-key';
  await new VideoCloud().eventTypes.list();
  assert.equal(api.requests[1].headers.authorization, 'Bearer env-key');
});

test('what JSON would change is refused, and nothing is sent', async (t) => {
  const api = await stub(t, ok({}));
  for (const [what, data] of Object.entries({
    BigInt: { size: 10n }, NaN: { size: NaN }, Infinity: { deep: [{ size: -Infinity }] }, 'no object': 'paid', null: null, list: [1],
    Map: new Map([['a', 1]]), 'a Set inside': { tags: new Set(['a']) }, Headers: { deep: [new Headers({ a: 'b' })] }, bytes: { image: new Uint8Array(2) },
    'a promise': Promise.resolve({}), 'a promise inside': { size: Promise.resolve(1) },
    'a date that is none': { at: new Date('soon') }, 'NaN in an object': { size: new Number(NaN) }, 'a function': { total: () => 3 }, 'a symbol': { tags: [Symbol('a')] },
    'undefined in a list': { tags: ['a', undefined] }, 'an error': { why: Object.assign(new Error('declined'), { code: 1 }) }, 'a pattern': { like: /a/ }, 'bytes without a view': { image: new ArrayBuffer(2) },
    'a stream': { lines: new ReadableStream() }, 'an async iterator': { lines: (async function* () {})() },
    'what has all its fields hidden': { order: new (class Order { #total = 3; get total() { return this.#total; } })() },
  })) {
    await assert.rejects(api.client().events.publish({ event: 'order.paid', data }), TypeError, what);
    await assert.rejects(api.client().events.publishBatch([{ event: 'order.paid', data }]), TypeError, what);
  }
  assert.equal(api.requests.length, 0);
  class Order {
    total = 3;
    at = new Date(0);
  }
  await api.client().events.publish({ event: 'order.paid', data: { order: new Order(), name: new String('a'), size: new Number(2), none: {}, bare: Object.create(null), left: undefined, deep: { left: undefined }, price: { toJSON: () => '1.10' }, bytes: Buffer.from('a') } });
  assert.deepEqual(api.requests[0].body.data, { order: { total: 3, at: '1970-01-01T00:00:00.000Z' }, name: 'a', size: 2, none: {}, bare: {}, deep: {}, price: '1.10', bytes: { type: 'Buffer', data: [97] } });
});

test('null clears, undefined leaves', async (t) => {
  const api = await stub(t, ok({}));
  await api.client().webhooks.update('whk_1', { description: null, headers: null, url: undefined });
  assert.deepEqual(api.requests[0].body, { description: null, headers: null });
});
