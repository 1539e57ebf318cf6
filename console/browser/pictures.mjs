// Takes the pictures of docs/images: every view in both themes, with sample data. Its arguments are those of walk.mjs;
// CONSOLE_PICTURES names the folder.
import { writeFile } from 'node:fs/promises';
import { api, appPort, browser, button, dialog, endpoint, login, open, receive, site, until, visit, walk } from './common.mjs';

const folder = process.env.CONSOLE_PICTURES;
// The endpoints are of this machine; in the pictures they have the names that such have elsewhere.
const customers = [
	['https://hooks.acme.example.com/videocloud', 'Acme, transcoding'], ['https://api.example.org/webhooks/video', 'Mobile app'], ['https://billing.example.net/events', 'Invoices'],
	['https://search.example.com/index', 'Search index'], ['https://archive.example.org/videocloud', 'Archive, nightly'],
];
const names = [];
const endpoints = [];
for (const [name, about] of customers) {
	const e = await endpoint();
	e.answer = '{"error": "database is locked"}';
	endpoints.push(Object.assign(e, { about }));
	names.push([e.url, name]);
}
names.push([site, 'https://api.example.com']);
const app = await endpoint(Number(appPort));

// wave is a figure for a part of the plots: more by day than by night, the same in every run.
const wave = (i, n) => 0.55 + 0.45 * Math.sin((i / n) * 2 * Math.PI - 1.9) + 0.12 * Math.sin(i * 2.7) + 0.08 * Math.sin(i * 7.1);
function figures(stats, path) {
	const scale = path.includes('/webhooks/') ? 40 : 420;
	const failing = path.includes('/webhooks/') ? 0 : 0.012;
	stats.buckets.forEach((b, i, all) => {
		const sum = Math.max(0, Math.round(scale * wave(i, all.length)));
		const trouble = i > all.length * 0.62 && i < all.length * 0.7 ? 0.2 : failing;
		Object.assign(b, { failed: Math.round(sum * trouble), succeeded: Math.round(sum * (1 - trouble)), p50Ms: Math.round(41 + 9 * wave(i * 3, all.length)), p95Ms: Math.round(128 + 60 * wave(i * 5, all.length) + 900 * (trouble > 0.1)) });
	});
	for (const kind of ['succeeded', 'failed']) stats.totals[kind] = stats.buckets.reduce((n, b) => n + b[kind], 0);
}
function counted(gateways) {
	for (const g of gateways.counted ?? []) {
		g.buckets.forEach((b, i, all) => {
			const n = Math.max(0, Math.round(130 * wave(i, all.length)));
			b.counts = { [g.name === 'shop' ? 'queued' : 'accepted']: n, duplicate: Math.round(n / 40), failed: g.name === 'shop' ? 0 : Math.round(n / 50), signature_mismatch: i % 9 === 4 ? 3 : 0, ...(g.name === 'shop' && { delivered: n, retried: Math.round(n / 25) }) };
		});
	}
}

// sample is a tab in which names of this machine are those of the sample, and plots have a past.
async function sample(scheme) {
	const page = await open(1280, scheme);
	await page.route(/\/(webhooks|events|deliveries|accounts?|api-keys|portal-links|stats|console\/api\/(gateways|stats|dead|show))([/?]|$)/, async (route) => {
		if (route.request().method() === 'PUT') return route.continue();
		const response = await route.fetch();
		let text = await response.text();
		for (const [here, there] of names) text = text.replaceAll(here, there);
		const path = new URL(route.request().url()).pathname;
		if (/(^|\/)stats$/.test(path) && !path.includes('/api/')) {
			const answer = JSON.parse(text);
			figures(answer.data, path);
			text = JSON.stringify(answer);
		} else if (path.endsWith('/api/gateways')) {
			const answer = JSON.parse(text);
			counted(answer.data);
			text = JSON.stringify(answer);
		}
		return route.fulfill({ response, body: text });
	});
	return page;
}

const press = await (await browser.newContext()).newPage();
// picture writes what is seen as WebP, which is a fraction of a PNG.
async function picture(page, name) {
	await page.locator('.skeleton').first().waitFor({ state: 'detached' });
	await page.evaluate(() => document.fonts.ready);
	const png = (await page.screenshot()).toString('base64');
	const webp = await press.evaluate(async (data) => {
		const bitmap = await createImageBitmap(await (await fetch('data:image/png;base64,' + data)).blob());
		const canvas = Object.assign(document.createElement('canvas'), { width: bitmap.width, height: bitmap.height });
		canvas.getContext('2d').drawImage(bitmap, 0, 0);
		return canvas.toDataURL('image/webp', 0.74).split(',')[1];
	}, png);
	await writeFile(`${folder}/console-${name}.webp`, Buffer.from(webp, 'base64'));
}

await walk(async () => {
	const ids = [];
	const events = [['video.*'], ['video.uploaded', 'video.published', 'user.created'], ['subscription.*', 'payment.*'], ['video.published', 'video.deleted'], ['*']];
	const known = (await api('GET', '/event-types')).items.map((t) => t.name);
	for (const [i, e] of endpoints.entries()) {
		const subscribed = events[i].filter((name) => name === '*' || (name.endsWith('.*') ? known.some((k) => k.startsWith(name.slice(0, -1))) : known.includes(name)));
		ids.push((await api('POST', '/webhooks', { url: e.url, events: subscribed.length ? subscribed : ['user.*'], description: e.about, ...(i === 0 && { filter: 'data.format == "mp4"', headers: { 'X-Team': 'video' }, metadata: { plan: 'business' } }) })).id);
	}
	await api('PUT', '/event-types/video.uploaded', { schema: { type: 'object', required: ['id', 'format'], properties: { id: { type: 'string' }, format: { enum: ['mp4', 'webm'] }, size: { type: 'integer', minimum: 0 } } }, example: { id: 'vid_8f2c41', format: 'mp4', size: 48210944 } });
	const published = [];
	const titles = ['Harbour at dawn', 'Product tour', 'Quarterly review', 'How to sharpen a chisel', 'Street food, part 3'];
	for (let i = 0; i < 18; i++) {
		const event = ['video.uploaded', 'video.published', 'video.uploaded', 'user.created', 'video.deleted'][i % 5];
		published.push(await api('POST', '/events', { event, data: event.startsWith('video') ? { id: `vid_${(0x8f2c41 + i * 7919).toString(16)}`, title: titles[i % 5], format: 'mp4', size: 48210944 + i * 131071 } : { id: `usr_${1204 + i}`, plan: 'business' } }));
	}
	endpoints[3].status = 503;
	const failed = await api('POST', '/events', { event: 'video.published', data: { id: 'vid_91a0b3', title: 'Harbour at dawn', format: 'mp4', duration: 312 } });
	const dead = failed.deliveries.find((d) => d.webhookId === ids[3]).id;
	await until('failed', async () => (await api('GET', `/deliveries/${dead}`)).state === 'failed');
	app.status = 500;
	for (const [id, name] of [['evt_7c01', 'video.processed'], ['evt_7c02', 'video.published'], ['evt_7c03', 'video.processed']]) await receive(id, name, { id: 'vid_8f2c41', title: 'Harbour at dawn', format: 'mp4' });
	const queue = async () => (await (await fetch(site + '/console/api/dead?name=shop', { headers: { Authorization: 'Bearer operator-key', 'X-Webhook-Console': '1' } })).json()).data.items;
	await until('three are dead', async () => (await queue()).length === 3);
	app.status = 200;
	for (let i = 0; i < 4; i++) await receive(`evt_direct_${i}`, 'video.uploaded', { n: i }, '/direct');
	for (const [role, description] of [['publish', 'Upload service'], ['read', 'Dashboards'], ['manage', 'Support desk']]) await api('POST', '/api-keys', { role, description, expiresIn: '720h' });
	await api('PUT', '/account', { name: 'Example Video', notifyEmail: ['ops@example.com'] });
	const views = {
		overview: '/', webhooks: '/webhooks', webhook: '/webhooks/' + ids[0], register: '/register', events: '/events', event: '/events/' + published[0].id, publish: '/publish?event=video.uploaded', deliveries: '/deliveries', delivery: '/deliveries/' + dead,
		'event-types': '/event-types', 'event-type': '/event-types/video.uploaded', gateways: '/gateways', gateway: '/gateways/shop', keys: '/keys',
	};
	const link = (await api('POST', '/portal-links', {})).url;
	for (const scheme of ['light', 'dark']) {
		const page = await sample(scheme);
		await login(page);
		await page.getByRole('heading', { name: 'Overview' }).waitFor();
		for (const [name, hash] of Object.entries(views)) {
			await visit(page, hash);
			await page.locator('main h1').first().waitFor();
			if (['overview', 'webhook', 'gateway'].includes(name)) await page.locator('.plot canvas').first().waitFor();
			if (name === 'gateway') await page.locator('tbody', { hasText: 'evt_7c03' }).waitFor();
			if (name === 'register') {
				await page.getByLabel('URL', { exact: true }).fill('https://hooks.acme.example.com/videocloud');
				await page.locator('.types').waitFor();
			}
			if (name === 'webhooks') await page.locator('.spark path.ok[d*="v"]').nth(endpoints.length - 1).waitFor({ state: 'attached' });
			await picture(page, `${name}-${scheme}`);
		}
		await visit(page, '/live');
		await page.getByText('watching', { exact: true }).waitFor();
		for (let i = 0; i < 6; i++) {
			await api('POST', '/events', { event: ['video.uploaded', 'video.published', 'user.created'][i % 3], data: { id: `vid_${i}`, format: 'mp4' } });
			await receive(`evt_${scheme}_${i}`, 'video.processed', { n: i });
		}
		await page.locator('tbody tr').nth(15).waitFor();
		await picture(page, `live-${scheme}`);
		await visit(page, '/webhooks/' + ids[0]);
		await button(page, 'Replay').click();
		await dialog(page).getByLabel('Which').selectOption('all');
		await button(page, 'Count first').click();
		await dialog(page).getByText('match.').waitFor();
		await picture(page, `replay-${scheme}`);
		await page.context().close();
		const portal = await sample(scheme);
		await portal.goto(link);
		await portal.locator('tbody tr').first().waitFor();
		for (const [name, hash] of [['webhooks', '/webhooks'], ['deliveries', '/deliveries'], ['event-type', '/event-types/video.uploaded']]) {
			await portal.goto(`${site}/console/portal/#${hash}`);
			await portal.locator('main h1').first().waitFor();
			await portal.locator(name === 'event-type' ? '.code' : 'tbody tr').first().waitFor();
			await picture(portal, `portal-${name}-${scheme}`);
		}
		await portal.context().close();
	}
	const narrow = await sample('dark');
	await narrow.setViewportSize({ width: 390, height: 800 });
	await login(narrow);
	await narrow.getByRole('heading', { name: 'Overview' }).waitFor();
	await visit(narrow, '/deliveries/' + dead);
	await narrow.getByText('curl -X POST').waitFor();
	await picture(narrow, 'delivery-narrow');
});
