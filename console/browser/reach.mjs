// Tries what may not be had: a customer of the portal who reaches for another account's things, by the pages and by requests
// of their own with the token that they were given; keys of every role; and servers that answer nothing or nonsense in
// mid-use. Follows a link of a mail too.
// Its arguments are those of walk.mjs.
import assert from 'node:assert/strict';
import net from 'node:net';
import { api, appPort, button, ended, endpoint, login, look, mailPort, open, press, receive, site, step, until, visit, walk } from './common.mjs';

// A mail server that takes all there is.
const mails = [];
const office = net.createServer((c) => {
	let data = null;
	let rest = '';
	c.setEncoding('utf8').on('error', () => {});
	c.write('220 mail.example.com ready\r\n');
	c.on('data', (piece) => {
		const lines = (rest + piece).split('\r\n');
		rest = lines.pop();
		for (const line of lines) {
			if (data !== null) {
				if (line !== '.') { data += line + '\r\n'; continue; }
				mails.push(data.replace(/=\r\n/g, '').replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16))));
				data = null;
				c.write('250 taken\r\n');
			} else if (/^DATA/i.test(line)) { data = ''; c.write('354 go on\r\n'); } else if (/^QUIT/i.test(line)) { c.end('221 bye\r\n'); } else c.write('250 ok\r\n');
		}
	});
});
await new Promise((done) => { office.listen(Number(mailPort), '127.0.0.1', done); });
const customer = await endpoint();
const app = await endpoint(Number(appPort));

await walk(async () => {
	step('a log-in in front of the console');
	const guarded = await open(1280, 'light', { httpCredentials: { username: 'admin', password: 'secret-word' } });
	await guarded.goto(site + '/guarded/');
	await guarded.getByRole('heading', { name: 'Overview' }).waitFor();
	await guarded.goto(site + '/guarded/#/gateways');
	await guarded.getByRole('link', { name: 'shop', exact: true }).waitFor();
	assert.equal(await guarded.evaluate(() => sessionStorage.length), 0, 'the browser has a key');
	await guarded.context().close();

	step('another account');
	const acme = await api('POST', '/webhooks', { url: customer.url + '/acme', events: ['*'], secret: 'a-secret-of-acme-alone', description: 'only acme sees this' }, 'acme');
	const event = await api('POST', '/events', { event: 'video.uploaded', data: { note: 'only acme sees this' } }, 'acme');
	const replay = await api('POST', `/webhooks/${acme.id}/replay`, { since: '2020-01-01T00:00:00Z', state: 'all' }, 'acme');
	const mine = await api('POST', '/webhooks', { url: customer.url, events: ['video.*'] }, 'customer');
	const other = await api('POST', '/webhooks', { url: customer.url + '/other', events: ['*'], description: 'not of this link' }, 'customer');
	const own = await api('POST', '/events', { event: 'video.uploaded', data: { n: 1 } }, 'customer');
	const left = await receive('evt_dead', 'video.deleted', {});
	assert.equal(left, 200);
	const delivery = event.deliveries[0].id;
	const otherDelivery = own.deliveries.find((d) => d.webhookId === other.id).id;
	const links = { account: await api('POST', '/portal-links', {}, 'customer'), webhook: await api('POST', '/portal-links', { webhookId: mine.id }, 'customer') };
	for (const [kind, link] of Object.entries(links)) {
		const portal = await open();
		await portal.goto(link.url);
		await portal.getByText(customer.url).first().waitFor();
		assert.ok(!portal.url().includes(link.token), 'the token stays in the address');
		const foreign = [`/webhooks/${acme.id}`, `/deliveries/${delivery}`, `/deliveries?webhook=${acme.id}`, ...(kind === 'webhook' ? [`/webhooks/${other.id}`, `/deliveries/${otherDelivery}`] : [])];
		for (const hash of foreign) {
			await portal.goto(site + '/console/portal/#/event-types');
			await portal.getByRole('heading', { name: 'Event types' }).waitFor();
			await portal.goto(site + '/console/portal/#' + hash);
			await portal.locator('main [role=alert]').first().waitFor();
			assert.equal(await portal.getByText(/only acme sees this|not of this link/).count(), 0, hash);
		}
		await look(portal, 'portal-foreign-' + kind);
		// By hand, with the token that the page has.
		const asked = await portal.evaluate(async ({ token, paths }) => {
			const answers = {};
			for (const [method, path, body] of paths) {
				for (const account of ['', 'acme']) {
					const headers = { Authorization: `Bearer ${token}`, 'X-Webhook-Console': '1', 'Content-Type': 'application/json' };
					if (account) headers['X-VideoCloud-Account'] = account;
					const response = await fetch(path, { method, headers, body: method === 'GET' ? undefined : JSON.stringify(body ?? {}) });
					answers[`${method} ${path} for ${account || 'their own'}`] = [response.status, await response.text()];
				}
			}
			return answers;
		}, {
			token: link.token,
			paths: [
				...(kind === 'webhook' ? [acme.id, other.id] : [acme.id]).flatMap((id) => [['GET', `/webhooks/${id}`], ['GET', `/webhooks/${id}/deliveries`], ['GET', `/webhooks/${id}/stats`], ['PUT', `/webhooks/${id}`, { description: 'taken over' }], ['DELETE', `/webhooks/${id}`], ['POST', `/webhooks/${id}/test`],
					['POST', `/webhooks/${id}/retry`, { state: 'failed' }], ['POST', `/webhooks/${id}/replay`, { since: '2020-01-01T00:00:00Z' }]]),
				['GET', `/events/${event.id}`], ['DELETE', `/events/${event.id}`], ['GET', `/deliveries/${delivery}`], ['POST', `/deliveries/${delivery}/retry`], ['GET', `/replays/${replay.id}`], ['DELETE', `/replays/${replay.id}`],
				['GET', '/api-keys'], ['POST', '/api-keys', { role: 'all' }], ['POST', '/portal-links'], ['GET', '/accounts'], ['DELETE', '/accounts/acme'], ['POST', '/events', { event: 'video.uploaded', data: {} }], ['PUT', '/event-types/video.uploaded', { description: 'mine' }],
				...['stats', 'gateways', 'dead?name=shop', 'show?name=shop&event=evt_dead', 'live'].map((path) => ['GET', '/console/api/' + path]), ['POST', '/console/api/dead', { name: 'shop', action: 'purge', all: true }], ['POST', '/console/api/forget', { name: 'shop', event: 'evt_dead' }],
			],
		});
		for (const [what, [status, text]] of Object.entries(asked)) {
			assert.ok([403, 404].includes(status), `${what}: ${status} ${text}`);
			assert.ok(!/only acme sees this|not of this link|a-secret-of-acme/.test(text), `${what}: ${text}`);
		}
		for (const path of ['/webhooks', '/deliveries', '/events', '/replays']) {
			const text = await portal.evaluate(async ([token, where]) => (await fetch(where, { headers: { Authorization: `Bearer ${token}` } })).text(), [link.token, path]);
			assert.ok(!text.includes(acme.id) && !text.includes(delivery) && !text.includes('only acme'), `${path}: ${text}`);
			if (kind === 'webhook') assert.ok(!text.includes(other.id), `${path}: ${text}`);
		}
		await portal.context().close();
	}
	assert.equal((await api('GET', '/webhooks/' + acme.id, undefined, 'acme')).description, 'only acme sees this');

	step('keys of every role');
	for (const role of ['read', 'manage', 'publish']) {
		const made = await api('POST', '/api-keys', { role, description: role }, 'customer');
		const tab = await open();
		await login(tab, made.key);
		await tab.getByRole('heading', { name: 'Overview' }).waitFor();
		for (const hash of ['/gateways', '/live']) {
			await visit(tab, hash);
			await tab.getByText(/to this key/).first().waitFor();
		}
		await visit(tab, '/keys');
		await tab.getByText('Only a key with role all sees and makes keys.').waitFor();
		assert.equal(await button(tab, 'Make a key').count(), 0);
		await look(tab, 'role-' + role);
		await tab.context().close();
	}

	step('servers that answer nothing, and nonsense');
	const page = await open();
	await page.route('**/console/api/config', (r) => r.abort());
	await page.goto(site + '/console/');
	await page.getByText('The server can’t be reached.').waitFor();
	await look(page, 'begin-down');
	await page.unroute('**/console/api/config');
	await press(page, 'Try again', (o) => page.getByLabel('API key').waitFor(o));
	await page.getByLabel('API key').fill('nobody');
	await button(page, 'Log in').click();
	await page.getByText('This key is not known here').waitFor();
	await look(page, 'login-wrong');
	await page.getByLabel('API key').fill('operator-key');
	await button(page, 'Log in').click();
	await page.getByRole('heading', { name: 'Overview' }).waitFor();
	const views = { '/webhooks': 'webhooks?**', '/events': 'events?**', '/deliveries': 'deliveries?**', '/gateways': 'console/api/gateways**' };
	const answers = [
		[{ status: 503, contentType: 'application/json', body: '{"success":false,"error":{"code":"unavailable","message":"the store does not answer; try again"}}' }, 'The store does not answer; try again.'],
		[{ status: 502, contentType: 'text/html', body: '<h1>Bad Gateway</h1>' }, 'The server is up, but can’t answer right now.'],
		[{ status: 200, contentType: 'text/html', body: '<b class=stranger>another page</b>' }, 'Something other than the API answered (200).'],
	];
	for (const [answer, says] of answers) {
		for (const [hash, pattern] of Object.entries(views)) {
			await page.route(`${site}/${pattern}`, (r) => r.fulfill(answer));
			await visit(page, hash);
			await page.reload();
			await page.getByRole('alert').filter({ hasText: says }).first().waitFor();
			await look(page, `answer-${answer.status}-${hash.slice(1)}`, ['light']);
			await page.unroute(`${site}/${pattern}`);
			await press(page, 'Try again', (o) => page.getByRole('alert').first().waitFor({ state: 'detached', ...o }));
		}
	}
	step('a page of before an upgrade');
	const views404 = '**/js/views/deliveries.js';
	await page.goto(site + '/console/#/webhooks');
	await page.reload();
	await page.getByRole('heading', { name: 'Webhooks', exact: true }).waitFor();
	await page.route(views404, (r) => r.fulfill({ status: 404, body: '404 page not found' }));
	await page.route(site + '/console/', async (r) => {
		const response = await r.fetch();
		return r.fulfill({ response, body: (await response.text()).replace(/[0-9a-f]{20}\//g, '00000000000000000000/') });
	});
	await page.getByRole('link', { name: 'Deliveries' }).click();
	await page.getByRole('heading', { name: 'Deliveries' }).waitFor();
	await page.getByRole('alert').filter({ hasText: 'This page was updated since you opened it.' }).waitFor();
	await look(page, 'updated');
	await page.unroute(site + '/console/');
	await page.unroute(views404);
	await button(page, 'Load the page again').click();
	await page.getByText('Any state').first().waitFor({ state: 'attached' });
	assert.ok(page.url().endsWith('#/deliveries'), page.url());
	// And one whose file just did not come, with the server there and with none.
	for (const [there, says, word] of [[true, 'This part of the page could not be loaded.', 'Load the page again'], [false, 'The server can’t be reached.', 'Try again']]) {
		await page.goto(site + '/console/#/webhooks');
		await page.reload();
		await page.getByRole('heading', { name: 'Webhooks', exact: true }).waitFor();
		await page.route('**/js/views/events.js', (r) => r.abort());
		if (!there) await page.route(site + '/console/', (r) => r.abort());
		await page.getByRole('link', { name: 'Events', exact: true }).click();
		await page.getByRole('alert').filter({ hasText: says }).waitFor();
		await look(page, `part-${there ? 'missing' : 'unreachable'}`);
		await page.unroute('**/js/views/events.js');
		await page.unroute(site + '/console/');
		await press(page, word, (o) => page.getByRole('button', { name: 'Search' }).or(page.getByLabel('Type')).first().waitFor(o));
	}
	// What is written stays while the server is away.
	await visit(page, '/register');
	await page.getByLabel('URL', { exact: true }).fill(customer.url);
	await page.getByLabel('All, also those to come').check();
	await page.context().setOffline(true);
	await button(page, 'Register').click();
	await page.getByRole('alert').filter({ hasText: 'The server can’t be reached.' }).waitFor();
	await page.context().setOffline(false);
	await button(page, 'Register').click();
	await page.getByText('Its secret is shown this once.').waitFor();
	await page.context().close();

	step('a link that ends in mid-use');
	const leaving = await open();
	await leaving.goto(links.account.url);
	await leaving.getByText(customer.url).first().waitFor();
	await leaving.goto(`${site}/console/portal/#/webhooks/${mine.id}`);
	await button(leaving, 'Send a test event').waitFor();
	await api('DELETE', '/api-keys/' + links.account.id, undefined, 'customer');
	await ended(links.account.token);
	await press(leaving, 'Send a test event', (o) => leaving.getByText('This link has ended').waitFor(o));
	assert.equal(await leaving.evaluate(() => sessionStorage.length), 0, 'an ended token is kept');
	await leaving.reload();
	await leaving.getByText('Open this page by the link that you were given').waitFor();

	step('a link whose time is over while nothing is done');
	const idle = await open();
	let sessions = 0;
	// Its time is over at once, and the key is gone before the page asks whether it is.
	await idle.route('**/console/api/session', async (r) => {
		if (sessions++) {
			await api('DELETE', '/api-keys/' + short.id, undefined, 'customer').catch(() => {});
			await ended(short.token);
			return r.continue();
		}
		const response = await r.fetch();
		const answer = await response.json();
		assert.ok(answer.data.endsInSeconds > 0 && answer.data.endsInSeconds <= 3600, JSON.stringify(answer));
		answer.data.endsInSeconds = 0;
		return r.fulfill({ response, json: answer });
	});
	const short = await api('POST', '/portal-links', { expiresIn: '1h' }, 'customer');
	await idle.goto(short.url);
	await idle.getByText('This link has ended. Ask for a new one').waitFor();
	assert.equal(await idle.evaluate(() => sessionStorage.length), 0, 'an ended token is kept');
	await look(idle, 'link-over');
	await idle.context().close();

	step('a link of a mail');
	await api('PUT', '/account', { notifyEmail: ['owner@example.com'] }, 'customer');
	await until('a mail', () => mails.length > 0);
	const link = /http:\/\/127\.0\.0\.1:\S+confirm=[^\s"<>]+/.exec(mails[0])[0];
	const token = new URLSearchParams(link.split('#')[1]).get('confirm');
	const reader = await open();
	await reader.goto(link);
	await reader.getByRole('heading', { name: 'Mail about failed webhooks' }).waitFor();
	assert.ok(!reader.url().includes(token), 'the token stays in the address');
	assert.equal((await api('GET', '/account', undefined, 'customer')).notifyEmail[0].confirmed, false, 'looking at a link changes nothing');
	await look(reader, 'confirm');
	await button(reader, 'Yes, tell me').click();
	await reader.getByText('owner@example.com').waitFor();
	await look(reader, 'confirmed');
	assert.equal((await api('GET', '/account', undefined, 'customer')).notifyEmail[0].confirmed, true);
	await reader.goto(link.replace(token, 'nothing') + '&again');
	await button(reader, 'Yes, tell me').click();
	await reader.getByRole('alert').filter({ hasText: 'not valid any more' }).waitFor();
});
