// Fills in the fields whose worth stands in no view, or whose emptiness says something, and holds what the API stores to
// exactly that: secret of the notices, replay between two times, link to one webhook, test event of a type, ID and time of a
// sample, authentication and headers that are changed or only looked at, retry table.
// Its arguments are those of walk.mjs.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { api, button, dialog, endpoint, login, open, site, step, until, visit, walk } from './common.mjs';

const customer = await endpoint();
const notices = await endpoint();

// asked returns the bodies of what a page asked by a method at a path, while something was done.
async function asked(page, method, path, does) {
	const bodies = [];
	const listen = (r) => { if (r.method() === method && new URL(r.url()).pathname === path) bodies.push(r.postDataJSON()); };
	page.on('request', listen);
	await does();
	page.off('request', listen);
	return bodies;
}

// edited changes a webhook by its form. It returns what was sent, and holds all that is not named to what it was.
async function edited(page, id, names, fill) {
	const before = await api('GET', '/webhooks/' + id);
	await visit(page, '/webhooks');
	await visit(page, '/webhooks/' + id);
	await button(page, 'Edit').click();
	await dialog(page).getByText('Headers, authentication, limits').click();
	const bodies = await asked(page, 'PUT', '/webhooks/' + id, async () => {
		await fill(dialog(page));
		await button(page, 'Save').click();
		await dialog(page).waitFor({ state: 'detached' });
	});
	const now = await api('GET', '/webhooks/' + id);
	for (const of of [before, now]) for (const name of [...names, 'lastDelivery']) delete of[name];
	assert.deepEqual(now, before);
	assert.equal(bodies.length, 1);
	return bodies[0];
}

// came waits for what comes of an event that goes to one webhook.
async function came(id, path) {
	const test = await api('POST', `/webhooks/${id}/test`);
	const found = () => customer.got.find((r) => r.url === path && r.headers['webhook-id'] === test.id);
	await until('the test event', found);
	return found().headers;
}

// minute is a time as a field of a form takes it: whole minutes, as the reader's clock shows them.
const minute = (at) => new Date(at - new Date(at).getTimezoneOffset() * 60000).toISOString().slice(0, 16);
const told = (local) => new Date(local).toISOString().replace('.000Z', 'Z');

await walk(async () => {
	const page = await open();
	await login(page);
	await page.getByRole('heading', { name: 'Overview' }).waitFor();
	const url = customer.url + '/one';
	const { id } = await api('POST', '/webhooks', { url, events: ['video.*'], headers: { 'X-Team': 'video', 'X-Stage': 'test' }, description: 'a note', retry: ['0s', '100ms'], metadata: { plan: 'business' } });
	const other = await api('POST', '/webhooks', { url: customer.url + '/other', events: ['user.*'] });

	step('headers');
	assert.deepEqual(await edited(page, id, [], async (form) => {
		await form.getByLabel('Custom headers', { exact: true }).fill('X-Team: nobody');
		await form.getByLabel('Custom headers', { exact: true }).fill('');
	}), {}, 'headers that were typed and emptied again are sent');
	assert.equal((await came(id, '/hook/one'))['x-team'], 'video');
	assert.deepEqual(await edited(page, id, ['headers'], (form) => form.getByLabel('Custom headers', { exact: true }).fill('X-Team: audio')), { headers: { 'X-Team': 'audio' } });
	const second = await came(id, '/hook/one');
	assert.deepEqual([second['x-team'], second['x-stage']], ['audio', undefined]);
	assert.deepEqual(await edited(page, id, ['headers'], async (form) => {
		await form.getByLabel('Take all custom headers away').check();
		assert.ok(await form.getByLabel('Custom headers', { exact: true }).isDisabled());
	}), { headers: null });
	assert.equal((await came(id, '/hook/one'))['x-team'], undefined);
	assert.equal((await api('GET', '/webhooks/' + id)).headers, undefined);

	step('authentication');
	const basic = { type: 'basic', username: 'video', password: 'pass-word-of-ours' };
	assert.deepEqual(await edited(page, id, ['auth'], async (form) => {
		await form.getByLabel('Authentication').selectOption('basic');
		await form.getByLabel('User name').fill(basic.username);
		await form.getByLabel('Password').fill(basic.password);
	}), { auth: basic });
	const header = 'Basic ' + Buffer.from('video:pass-word-of-ours').toString('base64');
	assert.equal((await came(id, '/hook/one')).authorization, header);
	// Chosen and chosen back is not changed.
	assert.deepEqual(await edited(page, id, ['description'], async (form) => {
		await form.getByLabel('Authentication').selectOption('bearer');
		await form.getByLabel('Token', { exact: true }).fill('never-sent');
		await form.getByLabel('Authentication').selectOption('basic');
		await form.getByLabel('Description').fill('another note');
	}), { description: 'another note' });
	assert.equal((await came(id, '/hook/one')).authorization, header);
	const anew = { ...basic, password: 'another-pass-word' };
	assert.deepEqual(await edited(page, id, [], async (form) => {
		await button(form, 'Give its values anew').click();
		await form.getByLabel('Password').fill(anew.password);
	}), { auth: anew });
	assert.equal((await came(id, '/hook/one')).authorization, 'Basic ' + Buffer.from('video:another-pass-word').toString('base64'));
	assert.deepEqual(await edited(page, id, ['auth'], (form) => form.getByLabel('Authentication').selectOption('')), { auth: null });
	assert.equal((await came(id, '/hook/one')).authorization, undefined);

	step('retry table');
	assert.deepEqual(await edited(page, id, ['retry'], (form) => form.getByLabel('Retry after').fill('0s, 30s  1h')), { retry: ['0s', '30s', '1h'] });
	assert.deepEqual((await api('GET', '/webhooks/' + id)).retry.length, 3);
	assert.deepEqual(await edited(page, id, ['retry'], (form) => form.getByLabel('Retry after').fill('')), { retry: null });

	step('a test event of a type');
	await api('PUT', '/event-types/video.updated', { example: { id: 'vid_of_the_example' } });
	await visit(page, '/webhooks');
	await visit(page, '/webhooks/' + id);
	await page.getByLabel('Test with').selectOption('video.updated');
	assert.deepEqual(await asked(page, 'POST', `/webhooks/${id}/test`, async () => {
		await button(page, 'Send a test event').click();
		await page.getByText('The test event was taken.').waitFor();
	}), [{ event: 'video.updated' }]);
	const typed = () => customer.got.find((r) => r.headers['x-videocloud-event'] === 'video.updated');
	await until('it comes', typed);
	assert.deepEqual([typed().url, JSON.parse(typed().body).data], ['/hook/one', { id: 'vid_of_the_example' }]);

	step('ID and time of a sample');
	const happened = minute(Date.now() - 26 * 3600000);
	await visit(page, '/publish?event=video.uploaded');
	await page.getByRole('textbox', { name: 'Data' }).fill('{"n": 12345678901234567890}');
	await page.getByText('ID and time').click();
	await page.getByLabel('ID', { exact: true }).fill('evt_by_hand');
	await page.getByLabel('Happened').fill(happened);
	await button(page, 'Publish').click();
	await page.getByRole('link', { name: 'evt_by_hand' }).waitFor();
	await until('it comes', () => customer.got.some((r) => r.headers['webhook-id'] === 'evt_by_hand'));
	const event = await api('GET', '/events/evt_by_hand');
	assert.deepEqual([event.event, new Date(event.timestamp).getTime()], ['video.uploaded', new Date(happened).getTime()]);
	assert.ok(customer.got.find((r) => r.headers['webhook-id'] === 'evt_by_hand').body.includes('12345678901234567890'));
	// The same ID with other data is refused, beside its field.
	await page.getByRole('textbox', { name: 'Data' }).fill('{"n": 2}');
	await page.getByLabel('ID', { exact: true }).fill('not an ID');
	await button(page, 'Publish').click();
	await page.locator('.field', { has: page.getByLabel('ID', { exact: true }) }).getByRole('alert').waitFor();
	assert.equal((await api('GET', '/events')).items.filter((e) => e.event === 'video.uploaded').length, 1);

	step('replay between two times');
	await until('all are done', async () => (await api('GET', `/webhooks/${id}/deliveries`)).items.every((d) => d.state === 'succeeded'));
	const count = (await api('GET', `/webhooks/${id}/deliveries?limit=100`)).items.length;
	const [early, before, after] = [-7200000, -3600000, 3600000].map((by) => minute(Date.now() + by));
	await visit(page, '/webhooks');
	await visit(page, '/webhooks/' + id);
	await button(page, 'Replay').click();
	await dialog(page).getByLabel('Made in').selectOption('');
	await dialog(page).getByLabel('Which').selectOption('all');
	const replayed = customer.got.length;
	assert.deepEqual(await asked(page, 'POST', `/webhooks/${id}/replay`, async () => {
		await dialog(page).getByLabel('From').fill(early);
		await dialog(page).getByLabel('Until').fill(before);
		await button(page, 'Count first').click();
		await dialog(page).getByText('0 match.').waitFor();
		assert.equal(await dialog(page).getByRole('button', { name: /^Send / }).count(), 0);
		await dialog(page).getByLabel('From').fill(before);
		await dialog(page).getByLabel('Until').fill(after);
		await button(page, 'Count first').click();
		await dialog(page).getByText(`${count} match.`).waitFor();
		await button(page, `Send ${count} again`).click();
		await dialog(page).getByText(`${count} of ${count} queued again`).waitFor();
	}), [
		{ since: told(early), until: told(before), state: 'all', dryRun: true },
		{ since: told(before), until: told(after), state: 'all', dryRun: true },
		{ since: told(before), until: told(after), state: 'all' },
	]);
	await button(page, 'Done').click();
	await until('they come again', () => customer.got.length === replayed + count);
	assert.ok(customer.got.slice(replayed).every((r) => r.url === '/hook/one'));

	step('a link to one webhook');
	await visit(page, '/keys');
	await button(page, 'Portal link').click();
	await dialog(page).getByLabel('Webhook').fill(other.id);
	await dialog(page).getByLabel('It ends').selectOption('168h');
	let link = '';
	assert.deepEqual(await asked(page, 'POST', '/portal-links', async () => {
		await button(page, 'Make it').click();
		link = await dialog(page).locator('code').first().textContent();
	}), [{ account: 'default', webhookId: other.id, expiresIn: '168h' }]);
	await button(page, 'Done').click();
	const portal = await open();
	await portal.goto(link);
	await portal.getByText(other.url).first().waitFor();
	assert.equal(await portal.getByText(url, { exact: true }).count(), 0);
	const token = new URLSearchParams(link.split('#')[1].replace(/^\//, '')).get('token');
	const reached = await (await fetch(site + '/webhooks', { headers: { Authorization: `Bearer ${token}` } })).json();
	assert.deepEqual(reached.data.items.map((w) => w.id), [other.id]);
	const keys = (await api('GET', '/api-keys')).items.filter((k) => k.role === 'portal');
	const days = (new Date(keys[0].expiresAt) - new Date(keys[0].createdAt)) / 86400000;
	assert.deepEqual([keys.length, Math.round(days)], [1, 7]);
	await portal.context().close();

	step('secret of the notices');
	await api('PUT', '/account', { name: 'Ours' });
	await visit(page, '/');
	await visit(page, '/keys');
	const secret = 'a-secret-of-the-notices';
	await page.getByLabel('URL', { exact: true }).fill(notices.url);
	await page.getByLabel('Secret', { exact: true }).fill(secret);
	assert.deepEqual(await asked(page, 'PUT', '/account', async () => {
		await button(page, 'Save').click();
		await until('it is stored', async () => (await api('GET', '/account')).notifyUrl === notices.url);
		await until('nothing is left to save', () => button(page, 'Save').isDisabled());
	}), [{ notifyUrl: notices.url, notifySecret: secret }]);
	assert.equal((await api('GET', '/account')).name, 'Ours');
	assert.ok(!(await page.content()).includes(secret), 'the secret stays on the page');
	assert.equal(await page.getByLabel('Secret', { exact: true }).inputValue(), '');
	await api('PUT', '/webhooks/' + id, { retry: ['0s'] });
	customer.status = 500;
	await api('POST', '/events', { event: 'video.uploaded', data: {} });
	await until('a notice', () => notices.got.length > 0);
	const [notice] = notices.got;
	assert.equal(notice.headers['x-videocloud-signature'], createHmac('sha256', secret).update(notice.body).digest('hex'));
	// Where a URL has none and none is given, one is made and shown.
	await api('PUT', '/account', { notifyUrl: null });
	await visit(page, '/');
	await visit(page, '/keys');
	await page.getByLabel('URL', { exact: true }).fill(notices.url);
	assert.deepEqual(await asked(page, 'PUT', '/account', async () => {
		await button(page, 'Save').click();
		await until('it is stored', async () => (await api('GET', '/account')).notifyUrl === notices.url);
	}), [{ notifyUrl: notices.url }]);
});
