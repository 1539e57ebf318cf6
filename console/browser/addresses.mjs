// Narrows down each list, and holds the address to what was chosen: a reload, the way back and a link in another's browser, in
// another zone, show the same. Its arguments are those of walk.mjs.
import assert from 'node:assert/strict';
import { api, appPort, button, endpoint, login, open, receive, site, step, until, visit, walk } from './common.mjs';

const customer = await endpoint();
const app = await endpoint(Number(appPort));
app.status = 500;

// query is what stands in the address behind a question mark.
const query = (page) => Object.fromEntries(new URLSearchParams(new URL(page.url()).hash.split('?')[1]));

// kept is that what was chosen stands in the address and in its fields, after a reload and on the way back too.
async function kept(page, expected, fields, shows) {
	const holds = async (when) => {
		await until(`${JSON.stringify(expected)} stands in the address ${when}`, () => JSON.stringify(query(page)) === JSON.stringify(expected));
		// What is chosen from may come later.
		for (const [label, value] of Object.entries(fields)) await until(`${label} is ${value} ${when}`, async () => await page.getByLabel(label, { exact: true }).inputValue() === value);
		await shows?.();
	};
	await holds('when it was chosen');
	await page.reload();
	await page.locator('main h1').first().waitFor();
	await holds('after a reload');
	await visit(page, '/keys');
	await page.getByRole('heading', { name: 'Keys, accounts' }).waitFor();
	await page.goBack();
	await page.getByRole('heading', { name: 'Keys, accounts' }).waitFor({ state: 'detached' });
	await page.locator('main h1').first().waitFor();
	await holds('on the way back');
}

await walk(async () => {
	const { id } = await api('POST', '/webhooks', { url: customer.url + '/one', events: ['video.*'] });
	await api('POST', '/webhooks', { url: customer.url + '/two', events: ['*'], status: 'paused' });
	for (const event of ['video.uploaded', 'video.deleted', 'user.created']) await api('POST', '/events', { event, data: {} });
	await until('all are sent', async () => (await api('GET', `/webhooks/${id}/deliveries`)).items.every((d) => d.state === 'succeeded'));
	assert.equal(await receive('evt_dead', 'video.deleted', {}), 200);
	const page = await open(1280, 'light', { timezoneId: 'Europe/Berlin' });
	await login(page);
	await page.getByRole('heading', { name: 'Overview' }).waitFor();
	const rows = (n) => () => until(`${n} rows`, async () => await page.locator('tbody tr').count() === n);

	step('what an address makes up');
	await visit(page, '/gateways/shop?queue=other&state=nowhere&window=zz&toString=1');
	await page.getByRole('heading', { name: 'Dead events' }).waitFor();
	await page.locator('tbody').getByText('video.deleted').first().waitFor();
	const [asked] = await Promise.all([page.waitForRequest((request) => request.url().includes('/webhooks/..')), visit(page, '/webhooks/..%2Fevents')]);
	assert.ok(asked.url().endsWith('/webhooks/..%2Fevents'), asked.url());

	step('deliveries');
	await visit(page, '/deliveries');
	await rows(5)();
	await page.getByLabel('Webhook', { exact: true }).selectOption(id);
	await page.getByLabel('State', { exact: true }).selectOption('succeeded');
	await page.getByLabel('Event type', { exact: true }).selectOption('video.deleted');
	await page.getByLabel('From', { exact: true }).fill('2026-01-31T12:00');
	const deliveries = { state: 'succeeded', webhook: id, event: 'video.deleted', since: '2026-01-31T11:00:00Z' };
	await kept(page, deliveries, { State: 'succeeded', Webhook: id, 'Event type': 'video.deleted', From: '2026-01-31T12:00', Until: '' }, rows(1));
	const colleague = await open(1280, 'light', { timezoneId: 'America/New_York' });
	await login(colleague);
	await colleague.getByRole('heading', { name: 'Overview' }).waitFor();
	await colleague.goto(page.url());
	await until('one row', async () => await colleague.locator('tbody tr').count() === 1);
	assert.equal(await colleague.getByLabel('From', { exact: true }).inputValue(), '2026-01-31T06:00');
	await colleague.context().close();
	// A delivery and back.
	await page.locator('tbody a').first().click();
	await page.getByRole('heading', { name: 'video.deleted' }).waitFor();
	await page.goBack();
	await rows(1)();
	assert.deepEqual(query(page), deliveries);
	// The menu leads to all of them, and so does the button where nothing matches.
	await page.getByRole('navigation').getByRole('link', { name: 'Deliveries' }).click();
	await rows(5)();
	assert.deepEqual(query(page), {});
	assert.equal(await page.getByLabel('State', { exact: true }).inputValue(), '');
	await page.getByLabel('State', { exact: true }).selectOption('cancelled');
	await button(page, 'Show all').click();
	await rows(5)();
	assert.deepEqual(query(page), {});

	step('the other lists');
	await visit(page, '/events');
	await page.getByLabel('Event type', { exact: true }).selectOption('video.uploaded');
	await page.getByLabel('Until', { exact: true }).fill('2099-07-31T12:00');
	await kept(page, { event: 'video.uploaded', until: '2099-07-31T10:00:00Z' }, { 'Event type': 'video.uploaded', Until: '2099-07-31T12:00' }, rows(1));
	await visit(page, '/webhooks');
	await page.getByLabel('Search', { exact: true }).fill('/two');
	await page.getByLabel('Status', { exact: true }).selectOption('paused');
	await kept(page, { search: '/two', status: 'paused' }, { Search: '/two', Status: 'paused' }, rows(1));
	await visit(page, '/webhooks/' + id);
	await page.getByLabel('State', { exact: true }).selectOption('failed');
	await kept(page, { state: 'failed' }, { State: 'failed' }, () => page.getByText('No delivery in this state').waitFor());
	await visit(page, '/event-types');
	await page.getByLabel('Search', { exact: true }).fill('user.');
	await kept(page, { search: 'user.' }, { Search: 'user.' });
	await visit(page, '/live');
	await page.getByLabel('What', { exact: true }).selectOption('attempt');
	await page.getByLabel('Outcome', { exact: true }).selectOption('bad');
	await page.getByLabel('Holds', { exact: true }).fill('one');
	await kept(page, { kind: 'attempt', outcome: 'bad', search: 'one' }, { What: 'attempt', Outcome: 'bad', Holds: 'one' });
	await visit(page, '/gateways/shop');
	await button(page, 'Waiting').click();
	await kept(page, { state: 'waiting' }, {}, () => page.getByText('Nothing waits').waitFor());
	for (const hash of ['/', '/gateways', '/gateways/shop']) {
		await visit(page, hash);
		await button(page, '7 days').click();
		await kept(page, { window: '7d' }, {}, async () => assert.equal(await button(page, '7 days').getAttribute('aria-pressed'), 'true'));
	}

	step('no key and no token');
	assert.ok(!page.url().includes('operator-key'));
	const { token } = await api('POST', '/portal-links', {});
	const portal = await open();
	await portal.goto(`${site}/console/portal/#token=${token}`);
	await portal.getByLabel('Status', { exact: true }).selectOption('paused');
	await until('the address says so', () => query(portal).status === 'paused');
	assert.ok(portal.url().endsWith('/console/portal/#/webhooks?status=paused'), portal.url());
	await portal.reload();
	await until('one row', async () => await portal.locator('tbody tr').count() === 1);

	step('another account');
	await visit(page, '/deliveries?webhook=' + id);
	await rows(2)();
	await page.getByLabel('Account', { exact: true }).fill('acme');
	await page.getByLabel('Account', { exact: true }).press('Enter');
	await page.getByText('No delivery yet').waitFor();
	assert.deepEqual(query(page), {});
});
