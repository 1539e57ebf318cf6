// Walks every view in a real browser, from 360 px to 4K, in both themes, with axe-core. Foreign values are full of markup:
// no element may come of them.
//
//	node walk.mjs <folder with node_modules> <chromium> <address of the site> <address of the gateway> <port of the app> <port of the mail server>
//
// With CONSOLE_SCREENSHOTS set to a folder it leaves a picture of each view there.
import assert from 'node:assert/strict';
import { api, evil, gateway, key, login, look, open, shown, step, visit, walk } from './common.mjs';

await walk(async () => {
	step('first use');
	// A wrong key says so, and the right one shows what to do first.
	const page = await open();
	await login(page, 'nobody');
	await page.getByText('This key is not known here').waitFor();
	await page.getByLabel('API key').fill(key);
	await page.getByRole('button', { name: 'Log in' }).click();
	await page.getByRole('link', { name: 'Register a webhook' }).click();
	await page.getByLabel('URL').fill(gateway + '/app');
	await page.getByLabel('All, also those to come').check();
	await page.getByLabel('Description').fill('the app ' + shown);
	await page.getByRole('button', { name: 'Register', exact: true }).click();
	await page.getByText('Its secret is shown this once.').waitFor();
	await page.getByRole('button', { name: 'Go on to the webhook' }).click();
	await visit(page, '/publish');
	await page.getByRole('textbox', { name: 'Data' }).fill(JSON.stringify({ title: evil, big: 1 }).replace(':1}', ':123456789012345678901234567890}'));
	await page.getByRole('button', { name: 'Publish' }).click();
	await page.getByText('succeeded').waitFor();
	await page.getByRole('link', { name: /^evt_/ }).click();
	await page.getByText('123456789012345678901234567890').first().waitFor();
	await page.getByText('U+202E').first().waitFor();
	assert.equal(await page.evaluate(() => document.cookie), '');
	await page.context().close();

	const webhook = (await api('GET', '/webhooks')).items[0];
	const delivery = (await api('GET', `/webhooks/${webhook.id}/deliveries`)).items[0];
	const views = {
		overview: '/', webhooks: '/webhooks', webhook: '/webhooks/' + webhook.id, register: '/register', events: '/events', event: '/events/' + delivery.eventId, publish: '/publish',
		deliveries: '/deliveries?webhook=' + webhook.id, delivery: '/deliveries/' + delivery.id, 'event-types': '/event-types', 'event-type': '/event-types/video.uploaded', gateways: '/gateways',
		gateway: '/gateways/shop', live: '/live', keys: '/keys',
	};
	step('every view in every width');
	await Promise.all([[1280, '', ['light', 'dark']], [360, '-narrow', ['light', 'dark']], [3840, '-wide', ['light', 'dark']]].map(async ([width, suffix, themes]) => {
		const tab = await open(width);
		// Days later times are dates, which take more room.
		if (width === 360) await tab.clock.setFixedTime(Date.now() + 3 * 86400000);
		await login(tab);
		await tab.getByRole('heading', { name: 'Overview' }).waitFor();
		for (const [name, hash] of Object.entries(views)) {
			await visit(tab, hash);
			await tab.locator('main h1').first().waitFor();
			await look(tab, name + suffix, themes);
		}
		await tab.context().close();
		step(`seen at ${width} px`);
	}));
});
