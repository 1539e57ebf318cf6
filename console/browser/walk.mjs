// Walks the console in a real browser: register, publish, see it arrive, and every view in both themes and at 360 px, with
// axe-core. Foreign values are full of markup: no element may come of them.
//
//	node walk.mjs <folder with node_modules> <chromium> <address of the site> <address of the app> [<folder for screenshots>]
import { createRequire } from 'node:module';
import assert from 'node:assert/strict';

const [, , modules, executablePath, site, app, shots] = process.argv;
const require = createRequire(modules + '/');
const { chromium } = require('playwright-core');
const axe = require.resolve('axe-core/axe.min.js');
const key = 'operator-key';
const evil = '<img src=x onerror=alert(1)>"\'\u202e\u0007';

const api = async (method, path, body) => {
	const response = await fetch(site + path, { method, headers: { Authorization: `Bearer ${key}`, 'X-VideoCloud-Account': 'default', 'Content-Type': 'application/json' }, body: body && JSON.stringify(body) });
	const answer = await response.json();
	assert.ok(answer.success, `${method} ${path}: ${JSON.stringify(answer)}`);
	return answer.data;
};

const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
try {
	const problems = [];
	const open = async (width, colorScheme) => {
		const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme, bypassCSP: false });
		const page = await context.newPage();
		page.setDefaultTimeout(20000);
		page.on('pageerror', (e) => problems.push(`${e.message}`));
		page.on('console', (m) => { if (/Content Security Policy/.test(m.text())) problems.push(m.text()); });
		page.on('request', (r) => { if (!r.url().startsWith(site) && !r.url().startsWith('blob:') && !r.url().startsWith('data:')) problems.push(`asked ${r.url()}`); });
		return page;
	};
	const login = async (page, with_) => {
		await page.goto(site + '/console/');
		await page.getByLabel('API key').fill(with_);
		await page.getByRole('button', { name: 'Log in' }).click();
	};

	// A wrong key says so, and the right one shows what to do first.
	let page = await open(1280, 'light');
	await login(page, 'nobody');
	await page.getByText('This key is not known here').waitFor();
	await page.getByLabel('API key').fill(key);
	await page.getByRole('button', { name: 'Log in' }).click();
	await page.getByRole('link', { name: 'Register a webhook' }).click();
	await page.getByLabel('URL').fill(app);
	await page.getByLabel('All, also those to come').check();
	await page.getByLabel('Description').fill('the app ' + evil.replace('\u0007', ''));
	await page.getByRole('button', { name: 'Register', exact: true }).click();
	await page.getByText('Its secret is shown this once.').waitFor();
	await page.getByRole('button', { name: 'Go on to the webhook' }).click();
	await page.getByRole('button', { name: 'Pause' }).click();
	await page.getByRole('button', { name: 'Resume' }).click();
	await page.getByRole('button', { name: 'Pause' }).waitFor();
	await page.goto(site + '/console/#/publish');
	await page.getByRole('textbox', { name: 'Data' }).fill(JSON.stringify({ title: evil, big: 1 }).replace(':1}', ':123456789012345678901234567890}'));
	await page.getByRole('button', { name: 'Publish' }).click();
	await page.getByText('succeeded').waitFor();
	await page.getByRole('link', { name: /^evt_/ }).click();
	await page.getByText('123456789012345678901234567890').first().waitFor();
	await page.getByText('U+202E').first().waitFor();
	assert.equal(await page.evaluate(() => document.querySelectorAll('img[src="x"], main img').length), 0, 'a payload became an element');
	assert.equal(await page.evaluate(() => document.cookie), '');

	const webhook = (await api('GET', '/webhooks')).items[0];
	const delivery = (await api('GET', `/webhooks/${webhook.id}/deliveries`)).items[0];
	const views = {
		overview: '/', webhooks: '/webhooks', webhook: '/webhooks/' + webhook.id, register: '/register', events: '/events', event: '/events/' + delivery.eventId, publish: '/publish',
		deliveries: '/deliveries?webhook=' + webhook.id, delivery: '/deliveries/' + delivery.id, 'event-types': '/event-types', 'event-type': '/event-types/video.uploaded', gateways: '/gateways', live: '/live', keys: '/keys',
	};
	await page.context().close();
	for (const [width, scheme] of [[1280, 'light'], [360, 'dark']]) {
		page = await open(width, scheme);
		await login(page, key);
		await page.getByRole('heading', { name: 'Overview' }).waitFor();
		for (const [name, hash] of Object.entries(views)) {
			await page.goto(site + '/console/#' + hash);
			await page.locator('main h1').first().waitFor();
			await page.locator('.skeleton').waitFor({ state: 'detached' }).catch(() => problems.push(`${name}: still loading`));
			const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
			if (over > 0) problems.push(`${name} is ${over} px too wide at ${width} px`);
			// By the debugger, which no policy of the page's concerns.
			const script = await (await import('node:fs/promises')).readFile(axe, 'utf8');
			const found = await page.evaluate(script + '; axe.run(document, { resultTypes: ["violations"] })');
			for (const v of found.violations.filter((f) => ['serious', 'critical'].includes(f.impact))) problems.push(`${name}, ${scheme}: ${v.id}: ${v.nodes[0].html} ${v.nodes[0].failureSummary}`);
			if (shots) await page.screenshot({ path: `${shots}/${name}-${scheme}.png` });
		}
		await page.context().close();
	}
	assert.deepEqual(problems, []);
} finally {
	await browser.close();
}
