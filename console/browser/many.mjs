// Takes the views of a system that has much of everything, for somebody to look at: ten thousand events, hundreds of webhooks,
// dead events, keys, accounts, event types, and live outcomes. Its arguments are those of walk.mjs; see shots.mjs.
import { api, appPort, button, endpoint, login, operate, receive, step, visit, walk } from './common.mjs';
import { each, plain, shoot, views } from './shots.mjs';

const customer = await endpoint();
const app = await endpoint(Number(appPort));
app.status = 500;

// all does so many things, a few at once.
async function all(n, does) {
	let next = 0;
	await Promise.all(Array.from({ length: 8 }, async () => { while (next < n) await does(next++); }));
}

const types = ['uploaded', 'updated', 'deleted', 'processed', 'published'];
await walk(async () => {
	step('fill it');
	// All but one are paused: nothing is sent while the pictures are taken.
	const hook = await api('POST', '/webhooks', { url: customer.url, events: ['video.updated'], status: 'paused', description: 'Archive' });
	for (let n = 0; n < 10000; n += 1000) await api('POST', '/events/batch', { events: Array.from({ length: 1000 }, (_, i) => ({ event: 'video.updated', data: { n: n + i } })) });
	await all(300, (n) => api('POST', '/webhooks', { url: `http://127.0.0.1:9/hooks-${n}/videocloud`, events: n % 5 ? ['video.deleted'] : ['video.uploaded', 'video.updated', 'video.deleted', 'user.created', 'user.deleted'], description: n % 3 ? 'A team' : '', status: 'paused' }));
	const wide = await api('POST', '/events', { event: 'video.deleted', data: {} });
	await all(120, (n) => api('POST', '/api-keys', { role: ['publish', 'read', 'manage'][n % 3], description: `Service ${n} of a team with a rather long name`, expiresIn: '720h' }));
	await all(80, (n) => api('PUT', '/account', { name: `Customer number ${n}` }, `customer-${n}`));
	await all(60, (n) => operate('PUT', `/event-types/area${n % 12}.${types[n % 5]}_${n}`, { description: `What happened to thing number ${n}, told as soon as it is known` }));
	await all(150, (n) => receive(`evt_many_${n}`, `video.${types[n % 5]}`, { id: 'vid_8f2c41', n }));

	step('take it');
	await each((tab) => login(tab));
	await each((tab) => tab.getByRole('heading', { name: 'Overview' }).waitFor());
	await views('many', {
		overview: plain.overview, webhooks: plain.webhooks, events: plain.events, deliveries: ['/deliveries', 'shown'], event: ['/events/' + wide.id, 'of 3'], hook: ['/webhooks/' + hook.id, 'shown'],
		types: plain.types, register: ['/register', 'Filter'], gateways: ['/gateways', 'shop'], gateway: ['/gateways/shop', 'answered 500'], keys: ['/keys', 'Service'],
	});
	await each(async (tab) => {
		await visit(tab, '/deliveries');
		for (let n = 0; n < 3; n++) { await button(tab, 'Load more').click(); await tab.locator('tbody tr').nth(50 * (n + 2) - 1).waitFor(); }
		await button(tab, 'Next rows').click();
		await tab.getByText('Rows from 201').waitFor();
	});
	await shoot('many-next', false);

	step('live');
	await each(async (tab) => { await visit(tab, '/live'); await tab.getByText('watching', { exact: true }).waitFor(); });
	const busy = await api('POST', '/webhooks', { url: customer.url, events: ['video.published', 'video.updated'] }, 'another');
	const fails = await api('POST', '/webhooks', { url: 'http://127.0.0.1:9/a/rather/long/path/of/somebody', events: ['video.published'] }, 'another');
	await api('POST', '/events/batch', { events: Array.from({ length: 200 }, (_, n) => ({ event: n % 4 ? 'video.updated' : 'video.published', data: { n } })) }, 'another');
	for (let n = 0; n < 20; n++) await receive(`evt_live_${n}`, 'video.updated', { n }, '/direct');
	await each((tab) => tab.locator('tbody tr').nth(150).waitFor());
	await api('PUT', '/webhooks/' + fails.id, { status: 'paused' }, 'another');
	await api('PUT', '/webhooks/' + busy.id, { status: 'paused' }, 'another');
	await shoot('many-live', false);
	await each((tab) => tab.evaluate(() => scrollTo(0, 2000)));
	await shoot('many-live-below', false);
});
