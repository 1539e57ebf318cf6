// Runs one example of docs/raw-body.md: node frameworks.mjs <name> <file>
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';

const [name, file] = process.argv.slice(2);
const example = await import(file);
// Not what JSON.stringify would write.
const body = '{ "event":"video.uploaded",  "data":{"n":1.0,"s":"\\u00e9/"} }';
const sign = (secret) => createHmac('sha256', secret).update(body).digest('hex');
const headers = (signature) => ({ 'Content-Type': 'application/json', ...(signature && { 'X-VideoCloud-Signature': signature }) });

const send = {
  async express() {
    const server = example.app.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${server.address().port}/webhooks`;
    return [async (h) => (await fetch(url, { method: 'POST', headers: h, body })).status, () => server.close()];
  },
  async fastify() {
    return [async (h) => (await example.app.inject({ method: 'POST', url: '/webhooks', headers: h, payload: body })).statusCode, () => example.app.close()];
  },
  async hono() {
    return [async (h) => (await example.app.request('/webhooks', { method: 'POST', headers: h, body })).status, () => {}];
  },
  async next() {
    return [async (h) => (await example.POST(new Request('http://a.example/webhooks', { method: 'POST', headers: h, body }))).status, () => {}];
  },
};
const [status, close] = await send[name]();
assert.equal(await status(headers(sign('your_webhook_secret'))), 200);
assert.equal(await status(headers(sign('another_secret'))), 401);
assert.equal(await status(headers()), 401);
close();
