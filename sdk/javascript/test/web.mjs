// Runs the package where there is no Node: modules of a context that has what browsers and workers have, and nothing else.
//
//   node --experimental-vm-modules web.mjs <folder of the ES modules>
import { readFileSync } from 'node:fs';
import { webcrypto } from 'node:crypto';
import { join } from 'node:path';
import vm from 'node:vm';

const folder = process.argv[2];
const requests = [];
const fetch = async (url, init) => {
  requests.push([url, init.method]);
  return new Response(JSON.stringify({ success: true, data: { id: JSON.parse(init.body).id, deliveries: [], duplicate: false } }), { status: 202 });
};
const context = vm.createContext({
  AbortController, ArrayBuffer, Headers, Response, TextDecoder, TextEncoder, URL, URLSearchParams, Uint8Array,
  crypto: globalThis.crypto ?? webcrypto, clearTimeout, fetch, setTimeout, atob, btoa,
});
context.globalThis = context;
const modules = new Map();
function load(specifier) {
  const name = specifier === '#platform' ? './platform.web.js' : specifier;
  if (!/^\.\/[\w.]+\.js$/.test(name)) throw new Error(`${name} is not of the package`);
  if (!modules.has(name)) {
    modules.set(name, new vm.SourceTextModule(readFileSync(join(folder, name), 'utf8'), { context, identifier: name }));
  }
  return modules.get(name);
}
const index = load('./index.js');
await index.link(load);
await index.evaluate();
const { VideoCloud, verifyAsync, verifySignatureAsync } = index.namespace;

const { subtle } = context.crypto;
const bytes = (text) => new TextEncoder().encode(text);
const key = await subtle.importKey('raw', bytes('your_webhook_secret'), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
const mac = async (text) => Buffer.from(await subtle.sign('HMAC', key, bytes(text)));
const body = '{"event":"video.uploaded","timestamp":"2024-03-31T12:00:00Z","data":{}}';
if (!(await verifySignatureAsync(body, (await mac(body)).toString('hex'), 'your_webhook_secret'))) throw new Error('a right signature is refused');
const time = Math.floor(Date.now() / 1000);
const headers = {
  'webhook-id': 'evt_1', 'webhook-timestamp': `${time}`,
  'webhook-signature': `v1,${(await mac(`evt_1.${time}.${body}`)).toString('base64')}`,
};
if ((await verifyAsync(body, headers, 'your_webhook_secret')).id !== 'evt_1') throw new Error('another event');
let refused;
await verifyAsync(`${body} `, headers, 'your_webhook_secret').catch((error) => (refused = error));
if (refused === undefined) throw new Error('another body is not refused');
await new VideoCloud({ apiKey: 'your_api_key', baseUrl: 'https://a.example' }).events.publish({ event: 'video.uploaded', data: {} });
if (`${requests}` !== 'https://a.example/events,POST') throw new Error(`${requests}`);
console.log('verified, published');
