// Takes every view at 360 px, 1280 px and 4K, in both themes, for somebody to look at: of an empty system, with three rows, and with
// what goes wrong; many.mjs has those with ten thousand. Its arguments are those of walk.mjs; CONSOLE_LOOKS names the folder.
import { api, appPort, button, dialog, endpoint, login, receive, site, until, visit, walk } from './common.mjs';
import { each, look, plain, shoot, views } from './shots.mjs';

const customer = await endpoint();
const failing = await endpoint();
failing.status = 503;
failing.answer = '{"error": "database is locked"}';
const app = await endpoint(Number(appPort));
app.status = 500;

await walk(async () => {
	await each((tab) => tab.goto(site + '/console/'));
	await each((tab) => tab.getByLabel('API key').waitFor());
	await shoot('login');
	await each((tab) => login(tab, 'nobody'));
	await each((tab) => tab.getByText('This key is not known here').waitFor());
	await shoot('login-wrong');
	await each((tab) => login(tab));
	await each((tab) => tab.getByRole('heading', { name: 'Overview' }).waitFor());

	await views('empty', { ...plain, gateway: ['/gateways/shop', 'Nothing is dead'], publish: ['/publish', 'Where it goes'] });
	await look('register', '/register', 'Filter', async (tab) => { await tab.getByText('Headers, authentication, limits').click(); await tab.getByLabel('Authentication').selectOption('oauth2'); await button(tab, 'Try it out').click(); });

	const hook = await api('POST', '/webhooks', { url: customer.url, events: ['video.uploaded', 'video.updated'], description: 'The mobile app, by way of the long road', headers: { 'X-Team': 'video' }, metadata: { plan: 'business' }, filter: 'data.size > 3 || true', retry: ['0s', '1m'], rateLimit: 20 });
	const bad = await api('POST', '/webhooks', { url: failing.url + '/a/rather/long/path/that/somebody/chose?with=a&query=0123456789012345678901234567890123456789', events: ['*'] });
	await api('POST', '/webhooks', { url: customer.url, events: ['video.*'], status: 'paused', description: 'Archive' });
	await api('PUT', '/event-types/video.uploaded', { schema: { type: 'object', properties: { id: { type: 'string' } } }, example: { id: 'vid_8f2c41', size: 48210944 } });
	let event;
	for (let n = 0; n < 3; n++) event = await api('POST', '/events', { event: ['video.uploaded', 'video.updated', 'video.uploaded'][n], data: { id: 'vid_8f2c41', title: 'Harbour at dawn, seen from the old lighthouse on the other side of the bay', url: 'https://cdn.example.com/' + 'a'.repeat(90), size: 48210944 } });
	const dead = event.deliveries.find((d) => d.webhookId === bad.id).id;
	await until('failed', async () => (await api('GET', `/deliveries/${dead}`)).state === 'failed');
	for (let n = 0; n < 3; n++) await receive(`evt_7c0${n}`, 'video.processed', { id: 'vid_8f2c41', n });
	await receive('evt_direct', 'video.uploaded', { n: 1 }, '/direct');
	for (const role of ['publish', 'read', 'manage']) await api('POST', '/api-keys', { role, description: `For the ${role} service of the team`, expiresIn: '720h' });
	await api('PUT', '/account', { name: 'Example Video', notifyEmail: ['ops@example.com'] });
	const some = { webhook: ['/webhooks/' + bad.id, 'What is set'], hook: ['/webhooks/' + hook.id, 'What is set'], event: ['/events/' + event.id, 'Payload'], delivery: ['/deliveries/' + dead, 'Attempt 2'], type: ['/event-types/video.uploaded', 'Verify'], gateway: ['/gateways/shop', 'answered 500'] };
	await views('three', { ...plain, ...some });
	for (const name of ['Edit', 'Rotate secret', 'Replay', 'Delete']) {
		await each(async (tab) => { await visit(tab, '/webhooks/' + hook.id); await button(tab, name).click(); await dialog(tab).waitFor(); });
		await shoot('dialog-' + name.split(' ')[0].toLowerCase(), false);
		await each((tab) => tab.keyboard.press('Escape'));
	}
	await each(async (tab) => { await visit(tab, '/gateways/shop'); await tab.locator('tbody button.flat').first().click(); await dialog(tab).getByLabel('Payload').waitFor(); });
	await shoot('dialog-dead', false);
	await each((tab) => tab.keyboard.press('Escape'));
	await each(async (tab) => { await visit(tab, '/keys'); await button(tab, 'Make a key').click(); await dialog(tab).waitFor(); });
	await shoot('dialog-key', false);
	await each((tab) => tab.keyboard.press('Escape'));

	const answers = {
		503: (r) => r.fulfill({ status: 503, contentType: 'application/json', body: '{"success":false,"error":{"code":"unavailable","message":"the store does not answer; try again"}}' }),
		gone: (r) => r.abort(),
	};
	for (const [kind, answer] of Object.entries(answers)) {
		for (const [name, [hash]] of Object.entries({ ...plain, ...some })) {
			const pattern = /\/(webhooks|events|deliveries|event-types|accounts?|api-keys|stats|console\/api\/(gateways|stats|dead|live))([/?]|$)/;
			await each(async (tab) => {
				await tab.goto('about:blank');
				await tab.route((url) => url.origin === site && pattern.test(url.pathname), answer);
				await visit(tab, hash);
				await tab.locator('main h1, main [role=alert]').first().waitFor();
			});
			await shoot(`${kind}-${name}`);
			await each((tab) => tab.unrouteAll({ behavior: 'ignoreErrors' }));
		}
	}

	const link = (await api('POST', '/portal-links', {})).url;
	await each((tab) => tab.goto(link));
	await each((tab) => tab.locator('tbody tr').first().waitFor());
	await shoot('portal');
	for (const [name, [hash, word]] of Object.entries({ hook: some.webhook, delivery: some.delivery, type: some.type })) {
		await each(async (tab) => { await tab.goto(`${site}/console/portal/#${hash}`); await tab.locator('main', { hasText: word }).first().waitFor(); });
		await shoot('portal-' + name);
	}

	await each(async (tab) => {
		await tab.goto('about:blank');
		await visit(tab, '/');
		await tab.getByRole('heading', { name: 'Overview' }).waitFor();
		await tab.route((url) => url.origin === site && url.pathname === '/deliveries', (r) => r.fulfill({ status: 401, contentType: 'application/json', body: '{"success":false,"error":{"code":"unauthorized","message":"no"}}' }));
		await visit(tab, '/deliveries');
		await tab.getByText('The key is not known any more').waitFor();
	});
	await shoot('401');
});
