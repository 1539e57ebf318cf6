// Looks at console and portal from far away: the first view takes so many rounds of requests and no more, each with all its
// requests under way at once, and a browser that was here before asks for no file again. How long that is with 100 ms of
// latency is said, and held to nothing: it is that of the machine too.
// Its arguments are those of walk.mjs.
import assert from 'node:assert/strict';
import { api, login, open, site, step, until, walk } from './common.mjs';

const isPage = (path) => path === '/console/' || path === '/console/portal/';
const pathOf = (request) => new URL(request.url()).pathname;
// unsummed is a path without the checksum that files stand below.
const unsummed = (path) => path.replace(/^\/console\/[0-9a-f]{20}\//, '');

// rounds are what each first view asks for after its page, in their order.
const common = ['css/base.css', 'css/parts.css', 'vendor/htm-preact.js', 'js/main.js', 'js/api.js', 'js/parts.js', 'js/load.js', 'js/first.js', '/console/api/config'];
const session = ['/console/api/session', '/openapi.json'];
const sides = {
	console: {
		rounds: [[...common, 'js/views/overview.js', 'js/plot.js', 'vendor/uplot.js'], session, ['/webhooks', '/stats', '/console/api/stats']],
		menu: (page) => page.getByRole('navigation').getByRole('link', { name: 'Webhooks' }),
		figures: (page) => page.getByText('delivers,'),
	},
	portal: {
		rounds: [[...common, 'js/views/webhooks.js', 'js/spark.js', '/console/theme/portal.css'], session, ['/webhooks']],
		menu: (page) => page.getByRole('navigation').getByRole('link', { name: 'Deliveries' }),
		figures: (page) => page.getByText('http://127.0.0.1:9/hook'),
	},
};

// enter opens a side as somebody who is known there.
async function enter(side) {
	const page = await open();
	if (side === 'console') await login(page);
	else await page.goto((await api('POST', '/portal-links', {})).url);
	await sides[side].figures(page).waitFor();
	return page;
}

await walk(async () => {
	await api('POST', '/webhooks', { url: 'http://127.0.0.1:9/hook', events: ['*'], status: 'paused' });
	for (const [side, { rounds, menu, figures }] of Object.entries(sides)) {
		step('rounds of the ' + side);
		const page = await enter(side);
		const held = new Map();
		let released = 0;
		await page.route((url) => url.origin === site && !isPage(url.pathname), (route) => {
			const path = unsummed(pathOf(route.request()));
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
		await figures(page).waitFor();
		await page.context().close();

		step(`100 ms of latency to the ${side}`);
		// In a tab whose requests nobody holds: those of one that somebody does are kept by no cache.
		const far = await enter(side);
		const tools = await far.context().newCDPSession(far);
		await tools.send('Network.enable');
		await tools.send('Network.emulateNetworkConditions', { offline: false, latency: 100, downloadThroughput: -1, uploadThroughput: -1 });
		for (const cached of [false, true]) {
			await tools.send('Network.setCacheDisabled', { cacheDisabled: !cached });
			// What came from the network, by the path that was asked.
			const asked = new Map();
			const came = ({ requestId, request }) => { if (request.url.startsWith(site)) asked.set(requestId, new URL(request.url).pathname); };
			const kept = ({ requestId, response }) => { if (!response || response.fromDiskCache) asked.delete(requestId); };
			tools.on('Network.requestWillBeSent', came).on('Network.requestServedFromCache', kept).on('Network.responseReceived', kept);
			const began = performance.now();
			await far.reload({ waitUntil: 'commit' });
			await menu(far).waitFor();
			const after = performance.now() - began;
			await figures(far).waitFor();
			console.log(`${side}, 100 ms of latency, ${cached ? 'with' : 'without'} a cache: the menu after ${Math.round(after)} ms, all figures after ${Math.round(performance.now() - began)} ms`);
			tools.off('Network.requestWillBeSent', came).off('Network.requestServedFromCache', kept).off('Network.responseReceived', kept);
			const files = [...asked.values()].filter((path) => unsummed(path) !== path && !path.endsWith('.svg'));
			if (cached) assert.deepEqual(files, [], 'asked again for what never changes');
			else assert.equal(files.length, rounds[0].filter((path) => !path.startsWith('/')).length, `files of the first view: ${files.join(' ')}`);
			assert.ok(asked.size < 30, `${asked.size} requests: ${[...asked.values()].join(' ')}`);
		}
		await far.context().close();
	}
});
