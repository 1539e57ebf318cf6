// Does what people do, in a real browser against a running system: fails an endpoint and mends it, reads attempts, retries,
// replays, rotates, pauses, uses the portal as a customer, and meets a server that is down and keys that have ended.
// Its arguments are those of walk.mjs.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import http from 'node:http';
import { api, appPort, evil, finish, gateway, login, look, open, problems, shots, site, until, visit } from './common.mjs';

// endpoint is a customer's: it answers what it is told, and keeps what came.
function endpoint(port = 0) {
	const e = { status: 200, got: [] };
	e.server = http.createServer((request, response) => {
		let body = '';
		request.on('data', (piece) => { body += piece; });
		request.on('end', () => {
			e.got.push({ headers: request.headers, body });
			response.writeHead(e.status, { 'Content-Type': 'text/plain' }).end(e.status === 200 ? 'taken' : 'no: ' + evil.replace('\u0007', ''));
		});
	});
	return new Promise((done) => { e.server.listen(port, '127.0.0.1', () => { e.url = `http://127.0.0.1:${e.server.address().port}/hook`; done(e); }); });
}

// ended waits until a key is refused, which takes a second at most.
const ended = (token) => until('the key ends', async () => (await fetch(site + '/webhooks', { headers: { Authorization: `Bearer ${token}` } })).status === 401);
const button = (page, name) => page.getByRole('button', { name, exact: true });
const step = (text) => { if (shots) console.log(text); };
const customer = await endpoint();
const app = await endpoint(Number(appPort));
try {
	step('register, publish, watch live');
	const page = await open();
	await login(page);
	await visit(page, '/register');
	await page.getByLabel('URL').fill(customer.url);
	await page.getByLabel('All, also those to come').check();
	await page.getByText('Headers, authentication, limits').click();
	await page.getByLabel('Custom headers').fill('X-Team: video');
	await look(page, 'register-open');
	await button(page, 'Register').click();
	await page.getByText('Its secret is shown this once.').waitFor();
	const first = await page.locator('main code').first().textContent();
	await look(page, 'registered');
	await button(page, 'Go on to the webhook').click();
	await button(page, 'Send a test event').waitFor();
	const id = page.url().split('/').pop();
	const watching = await open();
	await login(watching);
	await watching.getByRole('heading', { name: 'Overview' }).waitFor();
	await visit(watching, '/live');
	await watching.getByRole('heading', { name: 'Live' }).waitFor();
	await watching.getByText('watching', { exact: true }).waitFor(); // what happens before is not shown
	await button(page, 'Send a test event').click();
	await page.getByText('The test event was taken.').waitFor();
	await until('a test event', () => customer.got.length > 0);
	assert.equal(customer.got[0].headers['x-team'], 'video');
	await watching.getByText('webhook.test').first().waitFor();
	await look(watching, 'live-lines');

	step('fail, read the attempts, retry');
	customer.status = 500;
	const failed = await api('POST', '/events', { event: 'video.uploaded', data: { id: 'vid_1', title: evil } });
	const dead = failed.deliveries.find((d) => d.webhookId === id).id;
	await until('failed', async () => (await api('GET', `/deliveries/${dead}`)).state === 'failed');
	await visit(page, `/deliveries/${dead}`);
	await page.getByText('Attempt 2: answered 500').waitFor();
	await page.getByText('What was answered').first().click();
	await page.getByText('U+202E').first().waitFor();
	await page.getByText('curl -X POST').waitFor();
	await look(page, 'delivery-failed');
	const curl = await page.getByLabel('curl command').textContent();
	assert.ok(!curl.includes('video\'') && curl.includes('X-Team: …'), curl);
	await visit(page, '/webhooks/' + id);
	await page.getByText('A delivery used up all its attempts.').waitFor();
	await look(page, 'webhook-failed');
	await visit(page, '/');
	await page.getByRole('heading', { name: 'Overview' }).waitFor();
	await page.getByText(customer.url).first().waitFor();
	await look(page, 'overview-failing');
	customer.status = 200;
	await visit(page, `/deliveries/${dead}`);
	await button(page, 'Retry now').click();
	await page.locator('main header').getByText('succeeded').waitFor();

	step('retry all, replay with a dry run and progress');
	customer.status = 500;
	const batch = await api('POST', '/events/batch', { events: Array.from({ length: 30 }, (_, n) => ({ event: 'video.deleted', data: { n } })) });
	const last = batch.items.at(-1).deliveries.find((d) => d.webhookId === id).id;
	await until('all failed', async () => (await api('GET', `/webhooks/${id}/deliveries?state=failed&limit=100`)).items.length === 30 && (await api('GET', `/deliveries/${last}`)).state === 'failed');
	customer.status = 200;
	await visit(page, `/deliveries?webhook=${id}&state=failed`);
	await page.locator('tbody tr').nth(29).waitFor();
	await look(page, 'deliveries-failed');
	await button(page, 'Retry all that failed').click();
	await look(page, 'retry-all');
	await button(page, 'Retry them').click();
	await page.getByText('30 of 30 queued again').waitFor();
	await look(page, 'progress');
	await button(page, 'Done').click();
	await until('all succeeded', async () => (await api('GET', `/deliveries/${last}`)).state === 'succeeded');
	const before = customer.got.length;
	await visit(page, '/webhooks/' + id);
	await button(page, 'Replay').click();
	await page.getByLabel('Which').selectOption('all');
	await page.getByLabel('Event types').fill('video.deleted');
	await button(page, 'Count first').click();
	await page.getByText('30 match.').waitFor();
	await look(page, 'replay');
	await button(page, 'Send 30 again').click();
	await page.getByText('30 of 30 queued again').waitFor();
	await button(page, 'Done').click();
	await until('replayed', () => customer.got.length === before + 30);

	step('rotate with overlap, pause, edit');
	await button(page, 'Rotate secret').click();
	await look(page, 'rotate');
	await page.getByRole('dialog').getByRole('button', { name: 'Rotate' }).click();
	await page.getByText('It is shown this once').waitFor();
	const second = await page.getByRole('dialog').locator('code').first().textContent();
	assert.match(second, /^whsec_/);
	assert.notEqual(second, first);
	await button(page, 'Done').click();
	assert.equal(await page.getByText(second).count(), 0, 'a secret stays on the page');
	await button(page, 'Pause').click();
	await button(page, 'Resume').waitFor();
	const held = await api('POST', '/events', { event: 'video.uploaded', data: { held: true } });
	assert.equal((await api('GET', `/events/${held.id}`)).deliveries.find((d) => d.webhookId === id).state, 'pending');
	await page.getByText('Paused: new events wait').waitFor();
	await look(page, 'webhook-paused');
	await button(page, 'Resume').click();
	await until('delivered', () => customer.got.some((r) => r.body.includes('"held":true')));
	const now = customer.got.find((r) => r.body.includes('"held":true'));
	assert.equal(now.headers['x-videocloud-signature'], createHmac('sha256', second).update(now.body).digest('hex'));
	assert.equal(now.headers['webhook-signature'].split(' ').length, 2, 'the old secret goes on signing');
	await button(page, 'Edit').click();
	await page.getByRole('dialog').getByLabel('Description').fill('edited ' + evil.replace('\u0007', ''));
	await look(page, 'edit');
	await button(page, 'Save').click();
	await page.getByText('edited').waitFor();

	step('dead letters of a gateway');
	app.status = 500;
	const body = JSON.stringify({ event: 'video.deleted', timestamp: new Date().toISOString(), data: { title: evil } });
	const sent = await fetch(gateway + '/webhooks', { method: 'POST', body, headers: { 'Content-Type': 'application/json', 'X-VideoCloud-Event': 'video.deleted', 'X-VideoCloud-Event-Id': 'evt_dead', 'X-VideoCloud-Signature': createHmac('sha256', 'your_webhook_secret').update(body).digest('hex') } });
	assert.equal(sent.status, 200);
	await visit(page, '/gateways/shop');
	await until('dead', async () => { await button(page, 'Refresh').last().click(); return await page.getByText('the app answered 500').count() > 0; });
	await look(page, 'gateway-dead');
	await page.locator('tbody').getByRole('button', { name: 'video.deleted' }).click();
	await page.getByRole('dialog').getByText('evt_dead').first().waitFor();
	await page.getByRole('dialog').getByText('U+202E').first().waitFor();
	await look(page, 'dead-event');
	await button(page, 'Close').click();
	app.status = 200;
	app.got = [];
	await page.locator('tbody').getByRole('button', { name: 'Retry' }).click();
	await until('the app has it', () => app.got.length === 1);
	await visit(page, '/gateways');
	await page.getByText('shop').first().waitFor();

	step('keys; a key that ends in mid-use; a server that is down');
	await visit(page, '/keys');
	await button(page, 'Make a key').click();
	await page.getByLabel('What it is for').fill('the walk');
	await page.getByLabel('Role').selectOption('manage');
	await look(page, 'make-key');
	await button(page, 'Make it').click();
	await page.getByText('It is shown this once.').waitFor();
	const made = await page.getByRole('dialog').locator('code').first().textContent();
	await button(page, 'Done').click();
	await page.getByText('the walk').waitFor();
	const other = await open();
	await login(other, made);
	await other.getByRole('heading', { name: 'Overview' }).waitFor();
	await visit(other, '/webhooks');
	await other.getByText(customer.url).first().waitFor();
	await visit(other, '/');
	await other.getByRole('heading', { name: 'Overview' }).waitFor();
	await other.context().setOffline(true);
	await visit(other, '/event-types'); // a view that was never loaded
	await other.getByText('This part of the page could not be loaded.').waitFor();
	await other.context().setOffline(false);
	await button(other, 'Try again').click();
	await other.getByText('video.uploaded').first().waitFor();
	await other.context().setOffline(true);
	await visit(other, '/webhooks');
	await other.getByText('The server can’t be reached.').first().waitFor();
	await look(other, 'server-down');
	await other.context().setOffline(false);
	await button(other, 'Try again').first().click();
	await other.getByText(customer.url).first().waitFor();
	await page.locator('tr', { hasText: 'the walk' }).getByRole('button', { name: 'Delete' }).click();
	await look(page, 'delete-key');
	await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
	await page.getByText('the walk').waitFor({ state: 'detached' });
	await ended(made);
	await visit(other, '/deliveries');
	await visit(other, '/webhooks');
	await other.getByText('The key is not known any more').waitFor();
	await look(other, 'key-ended');
	await other.context().close();

	step('the portal, as a customer');
	const foreign = await api('POST', '/webhooks', { url: customer.url, events: ['*'] }, 'acme');
	await button(page, 'Portal link').click();
	await page.getByRole('dialog').getByLabel('Account').fill('customer');
	await look(page, 'portal-link');
	await button(page, 'Make it').click();
	const link = await page.getByRole('dialog').locator('code').first().textContent();
	await button(page, 'Done').click();
	const portal = await open();
	await portal.goto(link);
	await portal.getByText('Nothing is registered yet').waitFor();
	assert.ok(!portal.url().includes('vck_') && !portal.url().includes('token'), 'the token stays in the address');
	await look(portal, 'portal-empty');
	await portal.getByRole('link', { name: 'Register a webhook' }).click();
	await portal.getByLabel('URL').fill(customer.url);
	await portal.getByLabel('All, also those to come').check();
	await button(portal, 'Register').click();
	await button(portal, 'Go on to the webhook').click();
	await button(portal, 'Send a test event').click();
	await portal.getByText('The test event was taken.').waitFor();
	const theirs = portal.url().split('/').pop();
	await until('their test is delivered', async () => (await api('GET', `/webhooks/${theirs}/deliveries`, undefined, 'customer')).items[0]?.state === 'succeeded');
	await portal.reload();
	await portal.locator('tbody').getByText('succeeded').first().waitFor();
	await look(portal, 'portal-webhook');
	await portal.goto(site + '/console/portal/#/event-types/video.uploaded');
	await portal.getByText('createHmac').first().waitFor();
	await look(portal, 'portal-event-type');
	for (const hash of [`/webhooks/${foreign.id}`, `/webhooks/${id}`, `/deliveries/${dead}`]) {
		await portal.goto(site + '/console/portal/#' + hash);
		await portal.locator('main [role=alert]').first().waitFor();
		assert.equal(await portal.getByText('vid_1').count(), 0);
	}
	for (const hash of ['/gateways', '/live', '/keys', '/events', '/']) {
		await portal.goto(site + '/console/portal/#' + hash);
		await portal.locator('main h1').first().waitFor();
		assert.equal(await portal.getByText('Keys, accounts').count(), 0);
	}
	const links = (await api('GET', '/api-keys', undefined, 'customer')).items.filter((k) => k.role === 'portal');
	for (const k of links) await api('DELETE', `/api-keys/${k.id}`, undefined, 'customer');
	await ended(new URLSearchParams(link.split('#')[1].replace(/^\//, '')).get('token'));
	await portal.goto(site + '/console/portal/#/deliveries');
	await portal.getByText('This link has ended').waitFor();
	await look(portal, 'portal-ended');

	step('delete asks by name');
	await visit(page, '/webhooks/' + id);
	await button(page, 'Delete').click();
	assert.ok(await button(page, 'Delete the webhook').isDisabled());
	await page.getByRole('dialog').getByRole('textbox').fill(id);
	await look(page, 'delete');
	await button(page, 'Delete the webhook').click();
	await page.getByText(customer.url).first().waitFor({ state: 'detached' });
} catch (error) {
	problems.push(error.stack);
} finally {
	customer.server.closeAllConnections();
	customer.server.close();
	app.server.closeAllConnections();
	app.server.close();
	await finish();
}
