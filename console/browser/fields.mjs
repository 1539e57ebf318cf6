// Fills in every form that a webhook and an event type have, right and wrong: filter with its try-out, authentication of each
// kind, order, retry table, timeout, limits, metadata; types that are made, given a schema, and deleted.
// Its arguments are those of walk.mjs.
import assert from 'node:assert/strict';
import http from 'node:http';
import { api, button, dialog, endpoint, login, look, open, operate, site, step, until, visit, walk } from './common.mjs';

const certificate = process.env.CONSOLE_CERTIFICATE;
const privateKey = process.env.CONSOLE_PRIVATE_KEY;
const customer = await endpoint();
const tokens = http.createServer((request, response) => response.writeHead(200, { 'Content-Type': 'application/json' }).end('{"access_token":"from-the-token-server","token_type":"Bearer","expires_in":3600}'));
await new Promise((done) => { tokens.listen(0, '127.0.0.1', done); });

// register fills in a new form, by what comes as label and value.
async function register(page, fields, how = () => {}) {
	await visit(page, '/webhooks');
	await visit(page, '/register');
	await page.getByLabel('URL', { exact: true }).waitFor();
	await page.getByLabel('URL', { exact: true }).fill(customer.url);
	await page.getByLabel('All, also those to come').check();
	await page.getByText('Headers, authentication, limits').click();
	for (const [label, value] of Object.entries(fields)) await page.getByLabel(label, { exact: true }).fill(value);
	await how();
	await button(page, 'Register').click();
}

// registered waits for the webhook that was made, goes on to it, and returns its ID.
async function registered(page) {
	await page.getByText('Its secret is shown this once.').waitFor();
	await button(page, 'Go on to the webhook').click();
	await button(page, 'Send a test event').waitFor();
	return page.url().split('/').pop();
}

const type = async (name) => (await operate('GET', '/event-types')).items.find((t) => t.name === name);

// refused expects a message of the API beside a field.
async function refused(page, label, words) {
	await page.locator('.field', { has: page.getByLabel(label, { exact: true }) }).getByRole('alert').filter({ hasText: words }).waitFor();
}

// replay sends again what was counted, by one request of each kind.
async function replay(page, id) {
	await api('POST', '/events', { event: 'video.uploaded', data: { videoId: 'vid_1' } });
	await until('it is delivered', async () => (await api('GET', `/webhooks/${id}/deliveries`)).items.some((d) => d.event === 'video.uploaded' && d.state === 'succeeded'));
	const asked = [];
	const listen = (r) => { if (r.method() === 'POST' && r.url().endsWith('/replay')) asked.push(r.postDataJSON()); };
	page.on('request', listen);
	await button(page, 'Replay').click();
	await dialog(page).getByLabel('Which').selectOption('all');
	await button(page, 'Count first').click();
	await dialog(page).getByRole('button', { name: /^Send / }).click();
	await dialog(page).getByRole('progressbar').waitFor();
	await dialog(page).getByRole('button', { name: /^(Done|Go on in the background)$/ }).click();
	page.off('request', listen);
	const [{ dryRun, ...counted }, ...sent] = asked;
	assert.deepEqual([dryRun, sent], [true, [counted]], 'what is sent again is not what was counted');
}

// authorization sends a test event and returns the header that came with it. What a webhook before had under way may come late.
async function authorization(page, path) {
	await button(page, 'Send a test event').click();
	const test = () => customer.got.find((r) => r.url === path && r.body.includes('"webhook.test"'));
	await until('the test event', test);
	return test().headers.authorization;
}

await walk(async () => {
	const page = await open();
	await login(page);
	await page.getByRole('heading', { name: 'Overview' }).waitFor();

	step('event types');
	await visit(page, '/event-types');
	await button(page, 'Add a type').click();
	await dialog(page).getByLabel('Name').fill('Not a name');
	await button(page, 'Add it').click();
	await dialog(page).getByRole('alert').waitFor();
	await look(page, 'add-type');
	await dialog(page).getByLabel('Name').fill('order.paid');
	await dialog(page).getByLabel('Description').fill('An order was paid');
	await button(page, 'Add it').click();
	await page.getByRole('heading', { name: 'order.paid' }).waitFor();
	await page.getByLabel('Schema').fill('{"type": "no such type"}');
	await button(page, 'Save').click();
	await page.locator('main').getByRole('alert').first().waitFor();
	await look(page, 'schema-refused');
	await page.getByLabel('Schema').fill('{"type": ');
	await page.getByText('This is not JSON yet.').waitFor();
	assert.ok(await button(page, 'Save').isDisabled());
	await page.getByLabel('Schema').fill('{"type":"object","required":["size"],"properties":{"size":{"type":"integer","maximum":123456789012345678901}}}');
	await page.getByLabel('Example').fill('{"size": 5}');
	await button(page, 'Save').click();
	await page.getByText('Saved.').waitFor();
	// What is not touched goes back as it is, numbers too big for JavaScript among it.
	await page.getByLabel('Example').fill('{"size": 6}');
	await button(page, 'Save').click();
	await page.getByText('Saved.').waitFor();
	const stored = await fetch(new URL('/event-types', page.url()), { headers: { Authorization: 'Bearer operator-key' } });
	assert.ok((await stored.text()).includes('123456789012345678901'), 'a number of the schema was changed');
	// Nor does it go over what somebody else stored since.
	await operate('PUT', '/event-types/order.paid', { description: 'By somebody else', group: 'shop' });
	await page.getByLabel('Example').fill('{"size": 8}');
	await button(page, 'Save').click();
	await until('the example is stored', async () => (await type('order.paid')).example.size === 8);
	await page.getByLabel('Example').fill('{"size": 9}');
	await button(page, 'Save').click();
	await until('the example is stored again', async () => (await type('order.paid')).example.size === 9);
	assert.deepEqual([(await type('order.paid')).description, (await type('order.paid')).group], ['By somebody else', 'shop']);
	await visit(page, '/event-types');
	await button(page, 'Add a type').click();
	await dialog(page).getByLabel('Name').fill('order.paid');
	await button(page, 'Add it').click();
	await dialog(page).getByRole('alert').filter({ hasText: 'There is such a type already.' }).waitFor();
	assert.equal((await type('order.paid')).description, 'By somebody else');
	await visit(page, '/event-types/order.paid');
	await page.getByRole('link', { name: 'Publish a sample' }).click();
	await page.getByRole('textbox', { name: 'Data' }).fill('{"size": "large"}');
	await button(page, 'Publish').click();
	await page.locator('.field', { hasText: 'Data' }).getByRole('alert').filter({ hasText: 'size' }).waitFor();
	await look(page, 'publish-refused');
	await page.getByRole('textbox', { name: 'Data' }).fill('{"size": 7}');
	await page.route(`${site}/events`, async (r) => { await r.fetch(); await r.abort(); }, { times: 1 }); // published, and its answer is lost
	await button(page, 'Publish').click();
	await page.getByText('The server can’t be reached.').waitFor();
	await button(page, 'Publish').click();
	await page.getByText('so it goes to nobody').waitFor();
	assert.equal((await api('GET', '/events?event=order.paid')).items.length, 1, 'the same submission twice is two events');
	await button(page, 'Publish').click();
	await until('what was taken is published anew', async () => (await api('GET', '/events?event=order.paid')).items.length === 2);
	for (const [name, says] of [['video.uploaded', 'configuration'], ['order.paid', '']]) {
		await visit(page, '/event-types/' + name);
		await button(page, 'Delete').click();
		await dialog(page).getByRole('textbox').fill(name);
		await button(page, 'Delete the type').click();
		if (says) {
			await dialog(page).getByRole('alert').filter({ hasText: says }).waitFor();
			await button(page, 'Leave it').click();
		}
	}
	await page.getByRole('heading', { name: 'Event types' }).waitFor();
	assert.equal(await page.getByText('order.paid').count(), 0);

	step('account');
	await visit(page, '/keys');
	await page.getByLabel('Name of the account').fill('Ours');
	await api('PUT', '/account', { notifyUrl: customer.url, notifySecret: 'secret-of-the-notices' });
	await button(page, 'Save').click();
	await until('the name is stored', async () => (await api('GET', '/account')).name === 'Ours');
	assert.equal((await api('GET', '/account')).notifyUrl, customer.url, 'what nobody typed was sent');
	await api('PUT', '/account', { name: null, notifyUrl: null });

	step('filter');
	await register(page, { Filter: 'data.size >' });
	await refused(page, 'Filter', /filter/i);
	await page.getByLabel('Filter', { exact: true }).fill('data.size > 3');
	await button(page, 'Try it out').click();
	for (const [sample, says] of [['{"size": 4}', 'It matches: such an event goes here.'], ['{"size": 2}', 'It does not match.'], ['{"other": 1}', 'no such key'], ['{', 'The sample is not JSON.']]) {
		await page.getByLabel(/^Sample data/).fill(sample);
		await button(page, 'Test').click();
		await page.getByText(says).waitFor();
	}
	await look(page, 'filter-try-out');
	await button(page, 'Register').click();
	const filtered = await registered(page);
	await api('POST', '/events', { event: 'video.uploaded', data: { other: 1 } });
	await until('the filter failed', async () => (await api('GET', '/webhooks/' + filtered)).filterErrors === 1);
	await page.reload();
	await page.getByText('It failed on 1 event').waitFor();
	await look(page, 'filter-errors');
	await api('DELETE', '/webhooks/' + filtered);

	step('order, retry table, timeout, limits, metadata');
	await register(page, { 'Retry after': 'soon', Timeout: '5s' });
	await refused(page, 'Retry after', /^Retry must be .*\.$/);
	await page.getByLabel('Retry after').fill('0s 10s 1m');
	await page.getByLabel('Timeout').fill('3d');
	await button(page, 'Register').click();
	await refused(page, 'Timeout', /^Timeout must be .*\.$/);
	await page.getByLabel('Timeout').fill('5s');
	await page.getByLabel('One at a time, in the order of publishing').check();
	await page.getByLabel('Attempts a second at most').fill('7');
	await page.getByLabel('Start paused').check();
	await page.getByLabel('Signature').selectOption('ed25519');
	await page.getByLabel('Metadata').fill('team: video\nplace: a: b\n__proto__: ours');
	await button(page, 'Register').click();
	const full = await registered(page);
	const told = await api('GET', '/webhooks/' + full);
	assert.deepEqual([told.retry, told.timeout, told.ordered, told.rateLimit, told.metadata, told.status], [['0s', '10s', '1m'], '5s', true, 7, JSON.parse('{"team":"video","place":"a: b","__proto__":"ours"}'), 'paused']);
	for (const text of ['one at a time, in the order of publishing', '7 a second at most', 'a: b']) await page.getByText(text).waitFor();
	await look(page, 'webhook-full');
	await button(page, 'Rotate secret').click();
	await dialog(page).getByLabel('What', { exact: true }).selectOption('pair');
	await look(page, 'rotate-pair');
	await dialog(page).getByRole('button', { name: 'Rotate' }).click();
	await page.getByText('Receivers verify with the new public key.').waitFor();
	const renewed = (await api('GET', '/webhooks/' + full)).publicKey;
	assert.notEqual(renewed, told.publicKey);
	assert.equal(await dialog(page).locator('code').first().textContent(), renewed);
	await button(page, 'Done').click();
	await button(page, 'Edit').click();
	await dialog(page).getByText('Headers, authentication, limits').click();
	for (const label of ['Retry after', 'Timeout', 'Metadata']) await dialog(page).getByLabel(label).fill('');
	await dialog(page).getByLabel('One at a time, in the order of publishing').uncheck();
	await button(page, 'Save').click();
	await dialog(page).waitFor({ state: 'detached' });
	const cleared = await api('GET', '/webhooks/' + full);
	assert.deepEqual([cleared.retry, cleared.timeout, cleared.ordered, cleared.metadata, cleared.rateLimit], [undefined, undefined, undefined, undefined, 7]);
	await api('DELETE', '/webhooks/' + full);

	step('authentication');
	const kinds = {
		basic: { fields: { 'User name': 'video', Password: 'pass-word-of-ours' }, header: 'Basic ' + Buffer.from('video:pass-word-of-ours').toString('base64') },
		bearer: { fields: { Token: 'token-of-ours' }, header: 'Bearer token-of-ours' },
		oauth2: { fields: { 'Token URL': `http://127.0.0.1:${tokens.address().port}/token`, 'Client ID': 'client', 'Client secret': 'client-secret-of-ours', Scope: 'hooks' }, header: 'Bearer from-the-token-server' },
	};
	for (const [kind, { fields, header }] of Object.entries(kinds)) {
		await register(page, {}, async () => {
			await page.getByLabel('URL', { exact: true }).fill(`${customer.url}/${kind}`);
			await page.getByLabel('Authentication').selectOption(kind);
			for (const [label, value] of Object.entries(fields)) await page.getByLabel(label, { exact: true }).fill(value);
			await look(page, 'auth-' + kind);
		});
		const id = await registered(page);
		assert.equal(await authorization(page, '/hook/' + kind), header);
		assert.ok(!/of-ours/.test(await page.content()), 'a secret of the authentication is shown');
		if (kind === 'bearer') await replay(page, id);
		await api('DELETE', '/webhooks/' + id);
	}
	await register(page, {}, async () => {
		await page.getByLabel('Authentication').selectOption('mtls');
		await page.getByLabel('Certificate', { exact: true }).fill('no certificate');
		await page.getByLabel('Private key', { exact: true }).fill(privateKey);
		await look(page, 'auth-mtls');
	});
	await refused(page, 'Certificate', /./);
	await page.getByLabel('URL', { exact: true }).fill(customer.url.replace('http:', 'https:'));
	await page.getByLabel('Certificate', { exact: true }).fill(certificate);
	await button(page, 'Register').click();
	await registered(page);
	await page.getByText('mtls').first().waitFor();
	assert.ok(!(await page.content()).includes('PRIVATE KEY'), 'a private key is shown');
});
