// Looks at receivers and their queues: what was taken, what the app failed at and what was refused; dead events of several
// apps, and those of an app that the configuration has forgotten, which are moved to another.
// Its arguments are those of walk.mjs; the system has a dead event in the queue of a deliver that is gone.
import assert from 'node:assert/strict';
import { appPort, button, dialog, endpoint, gateway, login, look, open, receive, refreshed, step, until, visit, walk } from './common.mjs';

const app = await endpoint(Number(appPort));
await walk(async () => {
	const page = await open();
	await login(page);
	await page.getByRole('heading', { name: 'Overview' }).waitFor();
	await visit(page, '/gateways');
	await page.locator('tr', { hasText: 'shop' }).waitFor();
	assert.equal(await page.locator('tbody tr', { hasText: 'shop' }).count(), 1, 'the queues of a receiver stand in its one line');

	step('a plot of what was taken, what failed and what was refused');
	assert.equal(await receive('evt_direct', 'video.uploaded', {}, '/direct'), 200);
	app.status = 500;
	assert.equal(await receive('evt_direct_2', 'video.uploaded', { n: 2 }, '/direct'), 500);
	assert.equal((await fetch(gateway + '/direct', { method: 'POST', body: '{}' })).status, 401);
	await visit(page, '/gateways/direct');
	await page.getByRole('img', { name: 'Requests over time: 1 taken, 1 failed in the app, 1 refused' }).waitFor();
	await page.getByText('It has no queue').waitFor();
	await page.locator('.plot canvas').waitFor();
	await look(page, 'gateway-plot');

	step('one that there is not');
	await visit(page, '/gateways/nobody');
	await page.getByText('There is no such receiver here').waitFor();
	await page.locator('main').getByRole('link', { name: 'All gateways' }).waitFor();
	assert.equal(await button(page, 'Forget an event').count(), 0, 'nobody forgets anything');
	await look(page, 'gateway-unknown');

	step('move what a deliver left behind');
	await visit(page, '/gateways/shop');
	const left = page.locator('tr', { hasText: 'shop/before' });
	await left.getByText('nobody brings these to an app').waitFor();
	await page.locator('tbody').getByRole('button', { name: 'video.deleted' }).waitFor();
	await look(page, 'gateway-forgotten');
	app.status = 200;
	await left.getByRole('button', { name: 'Move' }).click();
	await dialog(page).getByLabel('To').selectOption('shop/video');
	await look(page, 'dead-move');
	await button(page, 'Move them').click();
	await dialog(page).getByText('1 moved.').waitFor();
	await button(page, 'Done').click();
	await left.waitFor({ state: 'detached' });
	await refreshed(page, () => page.locator('tbody').getByRole('button', { name: 'video.deleted' }));
	await page.getByLabel('Queue', { exact: true }).selectOption('shop/audit');
	await page.getByText('Nothing is dead').waitFor();
	await page.getByLabel('Queue', { exact: true }).selectOption('shop/video');
	const before = app.got.length;
	await page.locator('tbody').getByRole('button', { name: 'Retry' }).click();
	await until('the app has it', () => app.got.length > before);
	await page.getByText('Nothing is dead').waitFor();

	step('purge and forget');
	app.status = 500;
	assert.equal(await receive('evt_lost', 'video.processed', { n: 3 }), 200);
	await refreshed(page, () => page.locator('tbody').getByRole('button', { name: 'video.processed' }));
	await look(page, 'gateway-dead', ['light']);
	await page.locator('tbody').getByRole('button', { name: 'Purge' }).click();
	await look(page, 'purge');
	await dialog(page).getByRole('button', { name: 'Purge' }).click();
	await page.getByText('Nothing is dead').waitFor();
	await button(page, 'Forget an event').click();
	await dialog(page).getByLabel('Event ID').fill('evt_lost');
	await button(page, 'Forget it').click();
	await dialog(page).getByText('Forgotten: it is taken again when it comes.').waitFor();
	await button(page, 'Forget it').click();
	await dialog(page).getByText('The receiver does not know this event.').waitFor();
});
