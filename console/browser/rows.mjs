// Reads ten thousand rows to their end, forwards and back: what the browser holds stays the same, no row is left out or comes
// twice, and what happens meanwhile moves nothing of what is read. A thousand webhooks, and an event that goes to all of them, too.
// Its arguments are those of walk.mjs.
import assert from 'node:assert/strict';
import { api, button, endpoint, login, look, open, step, until, visit, walk } from './common.mjs';

const rows = 10000;
const sheet = 200;
const ids = (page) => page.locator('.sheet tbody tr .mono').allTextContents();

// held is what the tab holds once what nobody needs is thrown away, nodes that are out of the page among them.
async function held(page) {
	const tools = await page.context().newCDPSession(page);
	await tools.send('HeapProfiler.collectGarbage');
	await tools.send('Performance.enable');
	const { metrics } = await tools.send('Performance.getMetrics');
	await tools.detach();
	const of = (name) => metrics.find((m) => m.name === name).value;
	return { nodes: of('Nodes'), megabytes: of('JSHeapUsedSize') / 1e6 };
}

// on presses the button at a list's end, and returns the rows of the sheet once they changed.
async function on(page, name) {
	const before = await ids(page);
	await button(page, name).last().click();
	let now = before;
	await until(`${name} shows others`, async () => { now = await ids(page); return now.length && (now.length !== before.length || now[0] !== before[0]); });
	return now;
}

// toTheEnd presses what stands at a list's end, from inside the page, until nothing does. It returns the rows of every sheet,
// what was the most the page had, and where the focus was at the beginning of sheets.
const toTheEnd = (page) => page.evaluate(async () => {
	const rows = () => [...document.querySelectorAll('.sheet tbody tr .mono')].map((e) => e.textContent);
	// What is waited for is asked again and again: it takes the page's time from what it does meanwhile.
	const length = () => document.querySelectorAll('.sheet tbody tr').length;
	const first = () => document.querySelector('.sheet tbody tr .mono')?.textContent;
	const named = (name) => [...document.querySelectorAll('.sheet button')].findLast((b) => b.textContent === name);
	const sheets = [];
	let most = 0;
	let lost = 0;
	for (;;) {
		const now = rows();
		most = Math.max(most, document.querySelectorAll('*').length);
		const more = named('Load more');
		const next = named('Next rows');
		if (!more) sheets.push(now);
		if (!more && !next) return { sheets, most, lost };
		(more ?? next).click();
		do await new Promise((done) => { setTimeout(done, 5); }); while (length() === now.length && first() === now[0]);
		// The focus goes there once the rows are drawn.
		for (let turn = 0; !more && !document.activeElement.classList.contains('sheet'); turn++) {
			if (turn > 5000) { lost++; break; }
			await new Promise((done) => { setTimeout(done, 2); });
		}
	}
});

// readOn loads more until the sheet is full, or the list is at its end.
async function readOn(page) {
	let now = await ids(page);
	while (await button(page, 'Load more').count()) now = await on(page, 'Load more');
	return now;
}

const customer = await endpoint();
await walk(async () => {
	const { id } = await api('POST', '/webhooks', { url: 'http://127.0.0.1:9/hook', events: ['video.uploaded'], status: 'paused' });
	for (let n = 0; n < rows; n += 1000) await api('POST', '/events/batch', { events: Array.from({ length: 1000 }, (_, i) => ({ event: 'video.uploaded', data: { n: n + i } })) });
	const page = await open();
	await login(page);
	await page.getByRole('heading', { name: 'Overview' }).waitFor();

	step('ten thousand deliveries to the end');
	const began = Date.now();
	await visit(page, '/deliveries?webhook=' + id);
	await page.locator('tbody tr').nth(49).waitFor();
	const first = await readOn(page);
	assert.equal(first.length, sheet);
	await on(page, 'Next rows');
	await readOn(page);
	const bounds = await held(page);
	const { sheets, most, lost } = await toTheEnd(page);
	assert.deepEqual(sheets.map((s) => s.length), Array(rows / sheet - 1).fill(sheet));
	assert.equal(new Set([...first, ...sheets.flat()]).size, rows, 'rows come twice');
	assert.equal(lost, 0, 'the focus is not where a sheet begins');
	assert.ok(most < sheet * 20, `${most} elements in the page`);
	await page.getByText('9,801 to 10,000 shown, that is all').waitFor();
	const end = await held(page);
	assert.ok(end.nodes < bounds.nodes * 1.5 + 2000, `nodes: ${bounds.nodes} after two sheets, ${end.nodes} at the end`);
	assert.ok(end.megabytes < bounds.megabytes * 1.5 + 8, `megabytes: ${bounds.megabytes} after two sheets, ${end.megabytes} at the end`);
	console.log(`${rows} rows in ${Date.now() - began} ms; held after two sheets ${JSON.stringify(bounds)}, at the end ${JSON.stringify(end)}`);
	await look(page, 'rows-deliveries');

	step('back, while others come');
	const back = await on(page, 'Previous rows');
	assert.deepEqual(back, sheets.at(-2));
	const more = await api('POST', '/events/batch', { events: Array.from({ length: 60 }, () => ({ event: 'video.uploaded', data: {} })) });
	assert.deepEqual(await on(page, 'Next rows').then(() => readOn(page)), sheets.at(-1));
	await page.evaluate(() => scrollTo(0, 0));
	await button(page, 'Refresh').click();
	const newest = more.items.at(-1).deliveries[0].id;
	await until('the newest stand first', async () => (await ids(page))[0] === newest);
	assert.equal(await button(page, 'Previous rows').count(), 0);
	// What is chosen begins a list anew, and leaves the focus where it was.
	await readOn(page);
	await on(page, 'Next rows');
	await page.getByLabel('State').focus();
	await page.getByLabel('State').selectOption('failed');
	await page.getByText('No delivery matches').waitFor();
	assert.equal(await page.evaluate(() => document.activeElement.tagName), 'SELECT');

	step('events');
	await visit(page, '/events');
	await page.locator('tbody tr').nth(49).waitFor();
	for (let n = 0; n < 3; n++) {
		await readOn(page);
		await on(page, 'Next rows');
	}
	assert.ok((await held(page)).nodes < bounds.nodes * 1.5 + 2000);

	step('a thousand webhooks, and an event to all of them');
	const registered = Array.from({ length: 999 }, (_, n) => () => api('POST', '/webhooks', { url: `http://127.0.0.1:9/${n}`, events: ['video.deleted'], status: 'paused' }));
	await Promise.all(Array.from({ length: 8 }, async () => { while (registered.length) await registered.shift()(); }));
	await visit(page, '/webhooks');
	await page.getByText('200 shown of 1,000').waitFor();
	assert.ok((await held(page)).nodes < 3 * bounds.nodes);
	for (let n = 0; n < 4; n++) await button(page, 'Next rows').last().click();
	await page.getByText('801 to 1,000 shown').waitFor();
	await look(page, 'rows-webhooks', ['light']);
	await page.getByLabel('Search').fill('127.0.0.1:9/99');
	await page.getByText('10 shown').waitFor();
	const event = await api('POST', '/events', { event: 'video.deleted', data: {} });
	await visit(page, '/events/' + event.id);
	await page.getByText('200 shown of 999').waitFor();
	await button(page, 'Next rows').last().click();
	await page.getByText('201 to 400 shown of 999').waitFor();
	await look(page, 'rows-event', ['light']);

	step('live: what is read stays where it is');
	await visit(page, '/live');
	await page.getByText('watching', { exact: true }).waitFor();
	const other = await api('POST', '/webhooks', { url: customer.url, events: ['video.updated'] }, 'another');
	const test = (n) => Promise.all(Array.from({ length: n }, () => api('POST', `/webhooks/${other.id}/test`, undefined, 'another')));
	await test(30);
	await page.locator('tbody tr').nth(29).waitFor();
	await page.evaluate(() => scrollTo(0, 600));
	await page.getByText('paused while you read').waitFor();
	const place = () => page.evaluate(() => [document.querySelector('tbody tr .mono').textContent, document.querySelectorAll('tbody tr').length]);
	const before = await place();
	await test(5);
	await page.getByRole('button', { name: /new: show them/ }).waitFor();
	assert.deepEqual(await place(), before);
	await look(page, 'rows-live', ['light']);
	await page.getByRole('button', { name: /new: show them/ }).click();
	await page.getByText('watching', { exact: true }).waitFor();
	await until('they are there', async () => (await place())[1] > before[1]);
});
