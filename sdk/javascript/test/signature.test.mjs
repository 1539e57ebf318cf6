import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describe, test } from 'node:test';
import * as sdk from '@videocloud/sdk';
import * as web from '../dist/esm/platform.web.js';

const vectors = JSON.parse(readFileSync(new URL('../../testdata/vectors.json', import.meta.url)));
const client = new sdk.VideoCloud({ apiKey: 'test-key' });

describe('verifySignature', () => {
  for (const v of vectors.videocloud) {
    test(v.name, async () => {
      const body = Buffer.from(v.body_b64, 'base64');
      const signature = v.signature ?? undefined;
      assert.equal(client.webhooks.verifySignature(body, signature, v.secret), v.valid);
      assert.equal(sdk.verifySignature(new Uint8Array(body).buffer, signature, v.secret), v.valid);
      assert.equal(await client.webhooks.verifySignatureAsync(body, signature, v.secret), v.valid);
      const text = body.toString();
      if (Buffer.from(text).equals(body)) assert.equal(sdk.verifySignature(text, signature, v.secret), v.valid);
    });
  }

  test('what a framework may hand over instead is false, never an exception', () => {
    const [good] = vectors.videocloud;
    const body = Buffer.from(good.body_b64, 'base64');
    assert.equal(sdk.verifySignature(body, good.signature, good.secret), true);
    for (const signature of [null, undefined, 0, {}, [], [good.signature], [good.signature, good.signature]]) {
      assert.equal(sdk.verifySignature(body, signature, good.secret), false);
    }
    for (const payload of [null, undefined, {}, { event: 'video.uploaded' }, [], 7]) {
      assert.equal(sdk.verifySignature(payload, good.signature, good.secret), false);
    }
    for (const secret of [null, undefined, '', 7, {}]) {
      assert.equal(sdk.verifySignature(body, good.signature, secret), false);
    }
  });

  test('a view of a larger buffer is only that view', () => {
    const v = vectors.videocloud[1];
    const body = Buffer.from(v.body_b64, 'base64');
    const whole = new Uint8Array(body.length + 20).fill(0xff);
    whole.set(body, 10);
    assert.equal(sdk.verifySignature(new DataView(whole.buffer, 10, body.length), v.signature, v.secret), true);
  });
});

describe('verify', () => {
  for (const v of vectors.standard) {
    test(v.name, async () => {
      const body = Buffer.from(v.body_b64, 'base64');
      const options = { toleranceSeconds: v.tolerance_seconds ?? Infinity, now: new Date(v.now * 1000) };
      const args = [body, v.headers, v.secret, options];
      if (v.valid) {
        const event = sdk.verify(...args);
        assert.deepEqual(event, { ...JSON.parse(body), id: v.headers['webhook-id'] ?? v.headers['Webhook-Id'] });
        assert.deepEqual(await client.webhooks.verifyAsync(...args), event);
        return;
      }
      const expected = { name: 'WebhookVerificationError', code: v.reason };
      assert.throws(() => client.webhooks.verify(...args), expected);
      await assert.rejects(sdk.verifyAsync(...args), expected);
    });
  }

  const good = vectors.standard[0];
  const body = Buffer.from(good.body_b64, 'base64');
  const options = { now: new Date(good.now * 1000) };

  test('takes Headers of fetch', () => {
    assert.equal(sdk.verify(body, new Headers(good.headers), good.secret, options).event, 'video.uploaded');
  });

  test('a header repeated through Headers is refused', () => {
    const headers = new Headers(good.headers);
    headers.append('webhook-id', 'evt_other');
    assert.throws(() => sdk.verify(body, headers, good.secret, options), { name: 'WebhookVerificationError' });
  });

  test('any of several secrets', () => {
    assert.equal(sdk.verify(body, good.headers, ['old_webhook_secret', good.secret], options).id, good.headers['webhook-id']);
  });

  test('judges by the clock', () => {
    assert.throws(() => sdk.verify(body, good.headers, good.secret), { code: 'timestamp' });
  });

  test('a tolerance that is not a number accepts nothing', () => {
    assert.throws(() => sdk.verify(body, good.headers, good.secret, { ...options, toleranceSeconds: NaN }), { code: 'timestamp' });
  });

  test('a secret that can verify nothing is a mistake to mend', () => {
    for (const secret of ['', [], ['', good.secret], undefined, 'whsec_', 'whsec_***']) {
      assert.throws(() => sdk.verify(body, good.headers, secret, options), (e) => !('code' in e) && e instanceof TypeError);
    }
  });

  test('a parsed body is refused', () => {
    assert.throws(() => sdk.verify(JSON.parse(body), good.headers, good.secret, options), { code: 'invalid_payload' });
  });
});

describe('where only WebCrypto is', () => {
  for (const v of vectors.videocloud.filter((v) => v.secret !== '' && /^[0-9a-f]{64}$/.test(v.signature ?? ''))) {
    test(v.name, async () => {
      globalThis.crypto ??= (await import('node:crypto')).webcrypto; // Node 18
      const args = [Buffer.from(v.secret), Buffer.from(v.body_b64, 'base64'), Buffer.from(v.signature, 'hex')];
      assert.equal(await web.verifyHmacAsync(...args), v.valid);
      assert.throws(() => web.verifyHmac(...args), /verifySignatureAsync/);
    });
  }

  test('both platforms offer the same', async () => {
    const node = await import('../dist/esm/platform.node.js');
    assert.deepEqual(Object.keys(web).sort(), Object.keys(node).sort());
  });
});

test('require works as import does', () => {
  const cjs = createRequire(import.meta.url)('@videocloud/sdk');
  assert.deepEqual(Object.keys(cjs).sort(), Object.keys(sdk).sort());
  const v = vectors.videocloud[0];
  assert.equal(cjs.verifySignature(Buffer.from(v.body_b64, 'base64'), v.signature, v.secret), true);
});

test('the guide\'s header with several secrets, while one is rotated', async () => {
  const { createHmac } = await import('node:crypto');
  const body = '{"event":"video.uploaded"}';
  const signature = createHmac('sha256', 'old_secret').update(body).digest('hex');
  for (const [secrets, want] of [[['new_secret', 'old_secret'], true], [['old_secret'], true], [['new_secret', ''], false], [[], false], [[''], false]]) {
    assert.equal(sdk.verifySignature(body, signature, secrets), want);
    assert.equal(await sdk.verifySignatureAsync(body, signature, secrets), want);
  }
});
