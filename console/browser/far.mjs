// Looks at the console from far away: the first view takes so many rounds of requests and no more, each with all its requests
// under way at once. How long that is with 100 ms of latency is said, and held to nothing: it is that of the machine too.
// Its arguments are those of walk.mjs.
import assert from 'node:assert/strict';
import { api, finish, login, open, problems, site, step, until } from './common.mjs';

// rounds are what the first view asks for after its page, in the order of rounds.
const rounds = [
	['js/main.js', 'js/api.js', 'js/shell.js', 'js/views/overview.js', 'vendor/htm-preact.js', 'vendor/uplot.js', 'css/base.css', 'css/parts.css'].map((file) => '/console/' + file),
	['/console/api/config'],
	['/console/api/session', '/openapi.json'],
	['/webhooks', '/stats', '/console/api/stats'],
];

try {
	await api('POST', '/webhooks', { url: 'http://127.0.0.1:9/hook', events: ['*'], status: 'paused' });
	const page = await open();
	await login(page);
	await page.getByRole('heading', { name: 'Overview' }).waitFor();

	step('rounds');
	const held = new Map();
	let released = 0;
	await page.route((url) => url.origin === site && url.pathname !== '/console/', (route) => {
		const path = new URL(route.request().url()).pathname;
		if (!rounds.slice(released).flat().includes(path) || held.has(path)) return route.continue();
		return new Promise((done) => { held.set(path, () => done(route.continue())); });
	});
	const going = page.reload();
	for (const round of rounds) {
		// Nothing is answered before all of the round is asked for: what waited for another would never come.
		await until(`all at once: ${round.join(', ')}`, () => round.every((path) => held.has(path)));
		released++;
		for (const path of round) held.get(path)();
	}
	await going;
	await page.getByRole('heading', { name: 'Nothing is registered yet' }).or(page.getByRole('heading', { name: 'Send the first event' })).waitFor();
	await page.getByText('Senders and stores').waitFor();
	await page.unrouteAll({ behavior: 'ignoreErrors' });

	step('100 ms of latency');
	const tools = await page.context().newCDPSession(page);
	await tools.send('Network.enable');
	for (const kept of [false, true]) {
		await tools.send('Network.setCacheDisabled', { cacheDisabled: !kept });
		await tools.send('Network.emulateNetworkConditions', { offline: false, latency: 100, downloadThroughput: -1, uploadThroughput: -1 });
		const began = performance.now();
		await page.reload({ waitUntil: 'commit' });
		await page.getByRole('navigation').getByRole('link', { name: 'Webhooks' }).waitFor();
		const menu = performance.now() - began;
		await page.getByText('delivers,').waitFor();
		console.log(`with 100 ms of latency, ${kept ? 'with' : 'without'} a cache: the menu after ${Math.round(menu)} ms, all figures after ${Math.round(performance.now() - began)} ms`);
	}
	const asked = [];
	page.on('request', (request) => asked.push(new URL(request.url()).pathname));
	await page.reload();
	await page.getByText('delivers,').waitFor();
	assert.ok(asked.length < 40, `${asked.length} requests: ${asked.join(' ')}`);
} catch (error) {
	problems.push(error.stack);
} finally {
	await finish();
}
