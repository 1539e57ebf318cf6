// Runs one example of docs/raw-body.md, and prints what it answers to a right signature, a wrong one, none, and a right one over a body that
// is not said to be JSON: node frameworks.mjs <name> <file>
import { createHmac } from 'node:crypto';
import { once } from 'node:events';

const [name, file] = process.argv.slice(2);
const example = await import(file);
// Not what JSON.stringify would write.
const body = '{ "event":"video.uploaded",  "data":{"n":1.0,"s":"\\u00e9/"} }';
const sign = (secret) => createHmac('sha256', secret).update(body).digest('hex');
const headers = (signature, type = 'application/json') => ({ 'Content-Type': type, ...(signature && { 'X-VideoCloud-Signature': signature }) });

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
    const answer = (h) => example.POST(new Request('http://a.example/webhooks', { method: 'POST', headers: h, body }));
    // What a route throws, Next.js answers with 500.
    return [async (h) => (await answer(h).catch(() => ({ status: 500 }))).status, () => {}];
  },
};
const [status, close] = await send[name]();
const right = sign('your_webhook_secret');
const answers = [];
for (const h of [headers(right), headers(sign('another_secret')), headers(), headers(right, 'text/plain')]) answers.push(await status(h));
console.log(answers.join(' '));
close();
