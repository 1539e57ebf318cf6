// An API on loopback that answers what a test tells it to.
import { createServer } from 'node:http';
import { VideoCloud } from '@videocloud/sdk';

/** Starts a stub whose answers are taken in turn, the last one for ever; it ends with the test. */
export async function stub(t, ...answers) {
  const requests = [];
  const server = createServer((req, res) => {
    const chunks = [];
    req.on('data', (chunk) => chunks.push(chunk));
    req.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      const request = { method: req.method, url: req.url, headers: req.headers, text, body: text && JSON.parse(text) };
      requests.push(request);
      const answer = answers[Math.min(requests.length, answers.length) - 1];
      const { status = 200, headers = {}, body, raw, hang, drop } = typeof answer === 'function' ? answer(request) : answer;
      if (drop) return req.socket.destroy();
      if (hang) return;
      res.writeHead(status, { 'Content-Type': 'application/json', ...headers });
      res.end(raw ?? JSON.stringify(body));
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const baseUrl = `http://127.0.0.1:${server.address().port}`;
  const client = (options = {}) => new VideoCloud({ apiKey: 'test-key', baseUrl, ...options });
  return { baseUrl, requests, client };
}

export const ok = (data, status = 200) => ({ status, body: { success: true, data } });

export const refused = (status, error, headers = {}) => ({ status, headers, body: { success: false, error } });

export const unavailable = () => refused(503, { code: 'unavailable', message: 'try later' }, { 'Retry-After': '0' });
