// The REST API and the console's own, with the key of this tab.

export const portal = document.documentElement.dataset.area === 'portal';
const mount = new URL(portal ? '../' : './', location.href);
const kept = portal ? 'webhooks-portal' : 'webhooks-console';

// session is what this tab knows: how to reach the API, whose key it has, and which account it looks at.
export const session = { key: '', account: '', config: null, operations: new Set(), document: null, who: null, ended: '', link: null };

// Problem is an answer that says no, or none at all.
export class Problem extends Error {
	constructor(status, { code = '', message = '', field = '' } = {}) {
		super(message || `The server answered ${status}.`);
		Object.assign(this, { status, code, field });
	}
}

// route writes a path of the API, as a tag of a template: what stands in it, an address may have named it, is one segment and no more.
export const route = (strings, ...values) => String.raw({ raw: strings }, ...values.map((value) => (/^\.+$/.test(value) ? '-' : encodeURIComponent(value))));

const listeners = new Set();
export const onSession = (f) => { listeners.add(f); return () => listeners.delete(f); };
const changed = () => listeners.forEach((f) => f());

function keep() {
	try {
		if (session.key) sessionStorage.setItem(kept, JSON.stringify({ key: session.key, account: session.account }));
		else sessionStorage.removeItem(kept);
	} catch { /* a browser that keeps nothing asks again after a reload */ }
}

// What a view asks by the clock says so: the server lets all who ask the same have one answer, and puts off what comes too
// thick. What somebody asked for by hand is asked anew.
const byTheClock = new WeakSet();
export const regularly = (signal) => byTheClock.add(signal);
const ours = (signal) => ({ 'X-Webhook-Console': byTheClock.has(signal) ? 'again' : '1' });

// fetched asks this site. What the browser knows of a log-in that stands in front goes with it, from the very first request on.
async function fetched(url, options) {
	try {
		return await fetch(url, { cache: 'no-store', referrerPolicy: 'no-referrer', redirect: 'error', ...options });
	} catch (error) {
		if (error.name === 'AbortError') throw error;
		throw new Problem(0, { code: 'unreachable', message: 'The server can’t be reached. Is it running, and are you connected?' });
	}
}

function headers(more) {
	const h = { ...more };
	if (session.key) h.Authorization = `Bearer ${session.key}`;
	return h;
}

async function read(response, quiet) {
	const text = await response.text();
	let body = null;
	try { body = text ? JSON.parse(text) : null; } catch { /* said below */ }
	if (response.ok && body?.success) return { data: body.data, text };
	const problem = new Problem(response.status, body?.error ?? { message: notOurs(response.status) });
	if (response.status === 401 && !quiet) leave(endedWords());
	throw problem;
}

const endedWords = () => (portal ? 'This link has ended. Ask for a new one where you got it.' : 'The key is not known any more. Log in with another one.');

// watchEnd asks about the key once its time is over, so that a page that asks nothing by itself says so too.
let ending = 0;
function watchEnd(who) {
	clearTimeout(ending);
	if (who.endsInSeconds === undefined) return;
	ending = setTimeout(async () => {
		try { watchEnd(await whose()); } catch (error) { if (error.status === 401) leave(endedWords()); else watchEnd({ endsInSeconds: 5 }); }
	}, Math.min(Math.max(who.endsInSeconds * 1000, 0) + 500, 86400000));
}

const notOurs = (status) => (status === 502 || status === 503 || status === 504
	? 'The server is up, but can’t answer right now. Try again in a moment.'
	: `Something other than the API answered (${status}). Is the option api of webhook_console right?`);

// part imports what a view needs. A page goes on with the files that it began with, and a server of another version has them
// no more: then the page it has names others, and this one has to be loaded again. So it has where a browser remembers that a
// file did not come, or where somebody has to log in anew in front of the console.
export async function part(load) {
	try { return await load(); } catch { /* said below */ }
	const missing = 'This part of the page could not be loaded. ';
	const page = await fetched(location.pathname, { redirect: 'manual' }).catch((error) => { throw new Problem(0, { message: missing + error.message }); });
	if (page.status >= 500) throw new Problem(page.status, { message: missing + notOurs(page.status) });
	const updated = page.ok && !(await page.text()).includes(new URL('.', import.meta.url).pathname.split('/').at(-3));
	throw new Problem(page.status, { code: 'reload', message: updated ? 'This page was updated since you opened it.' : missing.trim() });
}

// rest is where the REST API is: with act_as it is asked through the console's handler.
const rest = () => new URL(session.config.actAs && !portal ? 'api/rest/' : session.config.api, mount);

// ask sends a request to the REST API; its path begins without a slash.
export async function ask(method, path, body, { signal, raw, idempotencyKey, account } = {}) {
	const { config } = session;
	const more = ours(signal);
	const named = account ?? (session.who?.account === '*' ? session.account : '');
	if (named) more[config.accountHeader] = named;
	if (body !== undefined) more['Content-Type'] = 'application/json';
	if (idempotencyKey) more['Idempotency-Key'] = idempotencyKey;
	const response = await fetched(new URL(path, rest()), {
		method, signal, headers: headers(more), body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body),
	});
	const answer = await read(response);
	return raw ? answer : answer.data;
}

// newKey is one by which the same request again is recognised. crypto.randomUUID is there by https only.
export const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('');

export const get = (path, options) => ask('GET', path, undefined, options);

// inside sends a request to the console's own handler.
export async function inside(method, path, body, { signal, quiet } = {}) {
	const more = ours(signal);
	if (body !== undefined) more['Content-Type'] = 'application/json';
	const response = await fetched(new URL('api/' + path, mount), { method, signal, headers: headers(more), body: body === undefined ? undefined : JSON.stringify(body) });
	return (await read(response, quiet)).data;
}

// live opens the stream of outcomes.
export function live(lastID, signal) {
	const more = { 'X-Webhook-Console': '1' };
	if (lastID) more['Last-Event-ID'] = lastID;
	return fetched(new URL('api/live', mount), { headers: headers(more), signal });
}

export function query(values) {
	const q = new URLSearchParams();
	for (const [name, value] of Object.entries(values)) if (value !== undefined && value !== null && value !== '') q.set(name, value);
	const text = q.toString();
	return text && '?' + text;
}

// offers says whether this server has an operation, such as 'GET /stats', by its OpenAPI document.
export const offers = (operation) => session.operations.has(operation);

// takes says whether a request of this server takes a field, by the same document.
export function takes(operation, field) {
	const [method, path] = operation.split(' ');
	const found = session.document?.paths?.[path]?.[method.toLowerCase()];
	let schema = found?.requestBody?.content?.['application/json']?.schema;
	if (schema?.$ref) schema = schema.$ref.slice(2).split('/').reduce((at, name) => at?.[name], session.document);
	return Boolean(schema?.properties?.[field]) || Boolean(found?.parameters?.some((p) => p.name === field));
}

export const may = {
	manage: () => ['manage', 'all', 'portal'].includes(session.who?.role),
	publish: () => ['publish', 'all'].includes(session.who?.role),
	all: () => session.who?.role === 'all',
	operate: () => Boolean(session.who?.operator),
	delete: () => ['manage', 'all'].includes(session.who?.role),
};

// takeToken takes the token of a portal link out of the address at once, and says whether there was one.
export function takeToken() {
	const token = portal && new URLSearchParams(location.hash.replace(/^#\/?/, '')).get('token');
	if (!token) return false;
	Object.assign(session, { key: token, account: '' });
	history.replaceState(null, '', location.pathname + location.search + '#/webhooks');
	keep();
	return true;
}

// takeLink takes the token of a link in a mail out of the address at once. What it does needs no key.
// The header of a mail has it in the query, as a mail program that opens it by itself sends no fragment.
export function takeLink() {
	if (!portal) return false;
	const query = new URLSearchParams(location.search);
	const given = [new URLSearchParams(location.hash.replace(/^#\/?/, '')), query];
	for (const does of ['confirm', 'unsubscribe']) {
		const token = given.map((g) => g.get(does)).find(Boolean);
		if (!token) continue;
		session.link = { does, token };
		query.delete(does);
		history.replaceState(null, '', location.pathname + (query.size ? '?' + query : '') + '#/webhooks');
		return true;
	}
	return false;
}

// begin finds out how the API is reached and takes the key of this tab, if it has one. Whose that is is asked meanwhile.
export async function begin() {
	if (!session.key) {
		try {
			const { key = '', account = '' } = JSON.parse(sessionStorage.getItem(kept) ?? '{}');
			Object.assign(session, { key, account });
		} catch { /* as above */ }
	}
	const { key } = session;
	const who = key ? whose() : undefined;
	who?.catch(() => {}); // said by enter
	session.config = (await read(await fetched(new URL('api/config', mount)), true)).data;
	const acts = session.config.actAs && !portal;
	if (acts) session.key = ''; // one of another console of this site: the log-in in front would take it for its own
	if (session.key || acts) await enter(session.key, session.key === key ? who : undefined);
}

// enter logs in with a key, or says why not.
export async function enter(key, asked) {
	session.key = key;
	described(true).catch(() => {}); // said by what waits for it
	try {
		const who = await (asked ?? whose());
		if (who.account === '*' && !session.account) session.account = 'default';
		session.who = who;
		watchEnd(who);
		session.ended = '';
		keep();
	} catch (error) {
		if (error.status === 401 || error.status === 403) {
			Object.assign(session, { key: '', who: null });
			keep();
			session.ended = portal ? 'This link has ended. Ask for a new one where you got it.' : 'This key is not known here. Check it, and that this is the right server.';
		}
		throw error;
	} finally {
		changed();
	}
}

let description = null;
// described waits for the API's document, which offers and takes go by; it is asked for once, and again after an error.
export function described(anew) {
	if (!description || anew) {
		const mine = describe();
		description = mine;
		mine.catch(() => { if (description === mine) description = null; });
	}
	return description;
}

async function describe() {
	const response = await fetched(new URL('openapi.json', rest()), { headers: headers({ 'X-Webhook-Console': '1' }) });
	if (!response.ok) throw new Problem(response.status, { message: notOurs(response.status) });
	session.document = await response.json();
	session.operations = new Set(Object.entries(session.document.paths).flatMap(([path, methods]) => Object.keys(methods).map((m) => `${m.toUpperCase()} ${path}`)));
}

const whose = () => inside('GET', 'session', undefined, { quiet: true });

export function leave(why = '') {
	clearTimeout(ending);
	Object.assign(session, { key: '', who: null, account: '', ended: why });
	keep();
	changed();
}

export function lookAt(account) {
	session.account = account;
	history.replaceState(null, '', location.hash.split('?')[0] || '#/'); // what was chosen there concerns the account before
	keep();
	changed();
}
