// Fills every field that a stranger, a customer or a provider can write with markup, quotes, marks that turn text around and
// control characters, and looks at every view: nothing of it may become an element, an attribute or an address.
// Its arguments are those of walk.mjs.
import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import { api, appPort, button, dialog, endpoint, login, look, open, problems, receive, refreshed, site, step, until, visit, walk } from './common.mjs';

// Each would make an element that has the class stranger, in text, in an attribute, in a style, a title or a text area.
const markup = (n) => `<b class=stranger>${n}</b>"'><img class="stranger" src=x onerror=alert(${n})></textarea></title><svg class=stranger onload=alert(1)>\${${n}}{{${n}}}&lt;i class=stranger&gt;`;
const hidden = '\u202eabc\u2066\u200b\ufeff\u034f\u{e0041}\u05e9\u05dc\u05d5\u05dd';
const control = '\u0000\u0007\u001b[31m\u0085';
const evil = (n) => markup(n) + hidden;
const all = (n) => evil(n) + control;

const customer = await endpoint();
const app = await endpoint(Number(appPort));
customer.status = 500;
customer.answer = all('answer');
app.status = 500;

// An endpoint that speaks no HTTP, and a token server that refuses in such words: what is told of both is theirs.
const rude = net.createServer((c) => { c.on('error', () => {}).once('data', () => c.end(`HTTP/1.1 2<b class=stranger>rude ${hidden}\r\n\r\n`)); });
const tokens = http.createServer((_, response) => response.writeHead(400, { 'Content-Type': 'application/json', 'X-Team': '<b class=stranger>' }).end(JSON.stringify({ error: markup('token'), error_description: all('token') })));
for (const server of [rude, tokens]) await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
const at = (server, path) => `http://127.0.0.1:${server.address().port}/${path}`;

// taken sends what the API may refuse as it stands: then without what it refused.
async function taken(method, path, ...bodies) {
	for (const body of bodies) {
		const response = await fetch(site + path, { method, headers: { Authorization: 'Bearer operator-key', 'X-VideoCloud-Account': 'default', 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
		const answer = await response.json();
		if (answer.success) return answer.data;
		if (body === bodies.at(-1)) assert.fail(`${method} ${path}: ${JSON.stringify(answer)}`);
	}
}

// clean says that nothing of a stranger's became part of the page, and that where it stands as text it can't reach beyond
// that: what would hide or turn something around is named, and all else of it is set apart.
async function clean(page, where) {
	const found = await page.evaluate(() => {
		const hiding = /(?![\t\n\r])[\p{Cc}\u00ad\u034f\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\u{e0000}-\u{e0fff}]/u;
		const wrong = [];
		for (const e of document.querySelectorAll('*')) {
			if (e.classList.contains('stranger') || [...e.attributes].some((a) => /^on/i.test(a.name) || (['href', 'src', 'action'].includes(a.name) && /^\s*(javascript|data):/i.test(a.value)))) wrong.push(e.outerHTML);
			for (const a of e.attributes) if (hiding.test(a.value)) wrong.push(`the attribute ${a.name} hides something: ${JSON.stringify(a.value)}`);
		}
		const texts = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_TEXT);
		while (texts.nextNode()) {
			const { data, parentElement: e } = texts.currentNode;
			if (hiding.test(data)) wrong.push(`a text hides something: ${JSON.stringify(data)} in ${e.tagName}`);
			if (!/class=stranger>|[\u0590-\u05ff]/.test(data) || e.closest('option')) continue;
			const apart = e.closest('bdi');
			if (!apart || getComputedStyle(apart).unicodeBidi !== 'isolate') wrong.push(`a stranger's text is not set apart: ${JSON.stringify(data)} in ${e.outerHTML}`);
		}
		return [...new Set(wrong)].map((w) => w.slice(0, 300));
	});
	problems.push(...found.map((f) => `${where}: ${f}`));
}

await walk(async () => {
	step('write it everywhere');
	await taken('PUT', '/event-types/stranger.came', ...[all, evil, markup].map((f) => ({ description: f('type').slice(0, 250), group: f('group').slice(0, 60), example: { [f('member')]: f('example') }, schema: { type: 'object', description: f('schema') } })),
		{ description: markup('type').slice(0, 100), example: { a: all('example') } });
	const webhook = await taken('POST', '/webhooks', ...[all, evil, markup].map((f) => ({
		url: customer.url + '?<b class=stranger>=1&q="\'><svg/onload=alert(1)>', events: ['*'], description: f('description'), metadata: { [f('key').slice(0, 40)]: f('value') }, filter: `data.missing == ${JSON.stringify(markup('filter'))}`,
		headers: { 'X-Team': f('header') }, auth: { type: 'basic', username: f('user').replaceAll(':', ''), password: 'password-of-ours' },
	})), { url: customer.url + '?q=%3Cb%20class=stranger%3E&r=\'', events: ['*'], description: markup('description'), metadata: { key: markup('value') }, filter: `data.missing == ${JSON.stringify(markup('filter'))}` });
	await taken('PUT', '/account', ...[all, evil, markup].map((f) => ({ name: f('account').slice(0, 100), notifyUrl: customer.url + '?<b class=stranger>', notifyEmail: ['"<b class=stranger>"@example.com'] })),
		{ name: markup('account').slice(0, 60), notifyEmail: ["<b/class=stranger>'{}@example.com"] }, { name: markup('account').slice(0, 60), notifyEmail: ["b'{}`|~stranger@example.com"] });
	await taken('POST', '/api-keys', ...[all, evil, markup].map((f) => ({ role: 'read', description: f('key') })), { role: 'read', description: markup('key').slice(0, 60) });
	const event = await taken('POST', '/events', ...[all, evil, markup].map((f) => ({ event: 'stranger.came', id: f('id').slice(0, 60), data: { [all('member')]: all('data') } })), { event: 'stranger.came', data: { [all('member')]: all('data') } });
	for (const n of [1, 2]) await taken('POST', '/events', { event: 'stranger.came', data: { title: all(n), deep: [[{ a: all('deep') }]] } });
	const others = {};
	for (const [name, body] of Object.entries({ rude: { url: at(rude, 'hook') }, tokens: { url: customer.url + '/oauth2', auth: { type: 'oauth2', tokenUrl: at(tokens, 'token'), clientId: evil('client').slice(0, 60), clientSecret: 'client-secret-of-ours' } } })) {
		const made = await api('POST', '/webhooks', { ...body, events: ['user.*'] });
		others[name] = (await api('POST', `/webhooks/${made.id}/test`)).deliveries[0].id;
	}
	await receive('evt_<b class=stranger>', markup('event').slice(0, 60), { title: all('gateway') }, '/webhooks', { 'X-Team': markup('header') });
	await receive('evt_stranger', 'video.updated', { title: all('gateway') });
	const delivery = event.deliveries[0].id;
	await until('failed', async () => (await api('GET', `/deliveries/${delivery}`)).state === 'failed');
	const replay = await api('POST', `/webhooks/${webhook.id}/replay`, { since: '2020-01-01T00:00:00Z', state: 'all' });
	await until('replayed', async () => (await api('GET', `/replays/${replay.id}`)).state === 'done');

	step('look at it everywhere');
	const page = await open();
	page.on('dialog', (d) => { problems.push('a script of a stranger ran: ' + d.message()); d.dismiss(); });
	await login(page);
	await page.getByRole('heading', { name: 'Overview' }).waitFor();
	const watching = await open();
	watching.on('dialog', (d) => { problems.push('a script of a stranger ran: ' + d.message()); d.dismiss(); });
	await login(watching);
	await watching.getByRole('heading', { name: 'Overview' }).waitFor();
	await visit(watching, '/live');
	await watching.getByText('watching', { exact: true }).waitFor();
	await receive('evt_live<i class=stranger>', markup('live').slice(0, 60), { title: all('live') });
	await api('POST', `/webhooks/${webhook.id}/test`);
	await watching.getByText('webhook.test').first().waitFor();
	await watching.locator('td.extra').getByText('gateway shop').first().waitFor();
	await clean(watching, 'live');
	await look(watching, 'markup-live');
	// Each view with a word of the stranger's that has to stand there as text.
	const views = {
		overview: ['/', customer.url], webhooks: ['/webhooks', '<b class=stranger>description'], webhook: ['/webhooks/' + webhook.id, '<b class=stranger>filter'], events: ['/events', 'stranger.came'],
		event: ['/events/' + encodeURIComponent(event.id), '<b class=stranger>data'], deliveries: ['/deliveries', 'stranger.came'], 'deliveries by webhook': [`/deliveries?webhook=${webhook.id}&state=failed`, 'stranger.came'],
		delivery: ['/deliveries/' + delivery, 'Attempt 1'], 'no http': ['/deliveries/' + others.rude, 'no answer'], 'no token': ['/deliveries/' + others.tokens, 'Attempt 1'], 'event types': ['/event-types', '<b class=stranger>type'], 'event type': ['/event-types/stranger.came', '<b class=stranger>type'], publish: ['/publish?event=stranger.came', 'Where it goes'],
		register: ['/register', 'stranger.came'], gateways: ['/gateways', 'shop'], gateway: ['/gateways/shop', 'evt_'], keys: ['/keys', '<b class=stranger>key'],
		nowhere: ['/<b class=stranger>/' + encodeURIComponent(markup('address')), 'There is nothing at this address'], 'no webhook': ['/webhooks/' + encodeURIComponent(markup('id')), 'Try again'],
		'no gateway': ['/gateways/' + encodeURIComponent(markup('name')), 'There is no such receiver here'], 'no type': ['/event-types/' + encodeURIComponent(markup('name')), 'There is no such event type'],
	};
	for (const [name, [hash, word]] of Object.entries(views)) {
		await visit(page, hash);
		await page.locator('main', { hasText: word }).waitFor();
		await page.locator('.skeleton').first().waitFor({ state: 'detached' });
		await page.evaluate(() => { for (const folded of document.querySelectorAll('main details')) folded.open = true; });
		await clean(page, name);
		await look(page, 'markup-' + name.replaceAll(' ', '-'), ['light']);
	}
	await visit(page, '/deliveries/' + delivery);
	await page.getByText('What was answered').first().click();
	await page.locator('pre', { hasText: '<b class=stranger>answer' }).first().waitFor();
	await clean(page, 'answer');
	await visit(page, '/webhooks/' + webhook.id);
	for (const name of ['Edit', 'Rotate secret', 'Replay', 'Delete']) {
		await button(page, name).click();
		await dialog(page).waitFor();
		await clean(page, name);
		await page.keyboard.press('Escape');
		await dialog(page).waitFor({ state: 'detached' });
	}
	await visit(page, '/gateways/shop');
	await refreshed(page, () => page.locator('tbody button.flat').nth(1));
	let headers = '';
	for (const n of [0, 1]) {
		await page.locator('tbody button.flat').nth(n).click();
		await dialog(page).locator('pre', { hasText: '<b class=stranger>gateway' }).waitFor();
		await dialog(page).getByText('Headers', { exact: true }).click();
		headers += await dialog(page).getByLabel('Headers').textContent();
		await clean(page, 'dead event');
		await button(page, 'Close').click();
	}
	assert.ok(headers.includes('<b class=stranger>header'), headers);
	// A copy is the value as it is.
	await visit(page, '/events/' + encodeURIComponent(event.id));
	await button(page, 'As sent').click();
	await page.locator('.code').getByRole('button', { name: 'Copy' }).click();
	// That it says so passes; what was copied stays.
	let copied = '';
	await until('it is copied', async () => { copied = await page.evaluate(() => navigator.clipboard.readText()); return copied; });
	assert.equal(JSON.parse(copied).data[all('member')], all('data'));
	await page.context().close();
	await watching.context().close();

	step('the portal');
	const portal = await open();
	portal.on('dialog', (d) => { problems.push('a script of a stranger ran: ' + d.message()); d.dismiss(); });
	const { token } = await api('POST', '/portal-links', {});
	await portal.goto(`${site}/console/portal/#token=${token}`);
	await portal.getByRole('heading', { name: 'Webhooks' }).waitFor();
	for (const [hash, word] of [['/webhooks', '<b class=stranger>description'], ['/webhooks/' + webhook.id, '<b class=stranger>filter'], ['/deliveries', 'stranger.came'], ['/deliveries/' + delivery, 'Attempt 1'], ['/deliveries/' + others.rude, 'no answer'], ['/deliveries/' + others.tokens, 'Attempt 1'], ['/event-types', '<b class=stranger>type'], ['/event-types/stranger.came', '<b class=stranger>type'], ['/register', 'stranger.came']]) {
		await portal.goto(site + '/console/portal/#' + hash);
		await portal.locator('main', { hasText: word }).waitFor();
		await portal.locator('.skeleton').first().waitFor({ state: 'detached' });
		await portal.evaluate(() => { for (const folded of document.querySelectorAll('main details')) folded.open = true; });
		await clean(portal, 'portal ' + hash);
	}
});
