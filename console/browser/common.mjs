// What the walks have in common: the browser, the log-in, the API, and what no page may ever do.
import { createHmac } from 'node:crypto';
import { createRequire } from 'node:module';
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import assert from 'node:assert/strict';

export const [, , modules, executablePath, site, gateway, appPort, mailPort] = process.argv;
export const shots = process.env.CONSOLE_SCREENSHOTS;
export const key = 'operator-key';
export const evil = '<img src=x onerror=alert(1)>"\'\u202e\u0007';
// shown is evil without the control character, which headers and most fields refuse.
export const shown = evil.replace('\u0007', '');
const require = createRequire(modules + '/');
const { chromium } = require('playwright-core');
const axe = await readFile(require.resolve('axe-core/axe.min.js'), 'utf8');

export const problems = [];

// api asks the REST API, as an operator for an account.
export async function api(method, path, body, account = 'default') {
	const response = await fetch(site + path, { method, headers: { Authorization: `Bearer ${key}`, 'X-VideoCloud-Account': account, 'Content-Type': 'application/json' }, body: body && JSON.stringify(body) });
	const answer = await response.json();
	assert.ok(answer.success, `${method} ${path}: ${JSON.stringify(answer)}`);
	return answer.data;
}

// operate asks the API about what is every account's.
export async function operate(method, path, body) {
	const response = await fetch(site + path, { method, headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' }, body: body && JSON.stringify(body) });
	const answer = await response.json();
	assert.ok(answer.success, `${method} ${path}: ${JSON.stringify(answer)}`);
	return answer.data;
}

// until asks again until the answer is true.
export async function until(what, ask) {
	for (const end = Date.now() + 60000; Date.now() < end; await new Promise((done) => { setTimeout(done, 50); })) if (await ask()) return;
	assert.fail(`never: ${what}`);
}

// A walk that is ended from outside takes the browser with it.
export const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });

// open is a tab of its own: errors, refusals of the policy and requests to elsewhere are problems.
export async function open(width = 1280, colorScheme = 'light', more = {}) {
	const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme, permissions: ['clipboard-read', 'clipboard-write'], ...more });
	const page = await context.newPage();
	page.setDefaultTimeout(60000);
	page.on('pageerror', (e) => problems.push(`${e.message}`));
	page.on('console', (m) => { if (/Content Security Policy/.test(m.text())) problems.push(m.text()); });
	page.on('request', (r) => { if (!r.url().startsWith(site) && !r.url().startsWith('blob:') && !r.url().startsWith('data:')) problems.push(`asked ${r.url()}`); });
	return page;
}

export async function login(page, with_ = key) {
	await page.goto(site + '/console/');
	await page.getByLabel('API key').fill(with_);
	await page.getByRole('button', { name: 'Log in' }).click();
}

export const visit = (page, hash) => page.goto(site + '/console/#' + hash);

// staying returns what is still wrong after a while. A page moves while it is looked at: a plot takes its size after the
// page took its own, and what is asked regularly comes in the middle. What is wrong of the page itself stays.
async function staying(ask) {
	let wrong = [];
	for (let turn = 0; turn < 20; turn++) {
		const now = await ask();
		// From the second time on only what was there each time.
		wrong = turn ? wrong.filter((w) => now.some((n) => n.what === w.what)) : now;
		if (!wrong.length) return [];
		await new Promise((done) => { setTimeout(done, 100); });
	}
	return wrong.map((w) => w.text ?? w.what);
}

// misplaced is what of a page stands out of its room, is cut off, or broken in the midst of a word, and errors that are no
// sentences.
const misplaced = (page) => staying(() => page.evaluate(() => {
	const wrong = [];
	const over = document.documentElement.scrollWidth - innerWidth;
	if (over > 0) wrong.push({ what: 'too wide', text: `${over} px too wide` });
	// A card cuts off what stands out of it, which the page's own width does not tell.
	for (const c of document.querySelectorAll('.card.flush')) if (c.scrollWidth > c.clientWidth) wrong.push({ what: 'cut off', text: `${c.scrollWidth - c.clientWidth} px cut off: ${c.innerText.slice(0, 80)}` });
	for (const s of document.querySelectorAll('.status')) if (s.offsetHeight > s.offsetWidth) wrong.push({ what: 'broken', text: `a status is taller than wide: ${s.textContent}` });
	for (const said of document.querySelectorAll('[role=alert] bdi')) if (/^[a-z]+ |[\p{L}\p{N}]$/u.test(said.textContent)) wrong.push({ what: 'no sentence', text: `an error is no sentence: ${said.textContent}` });
	// A name such as video.processed breaks after its dots alone, and another word, up to what fits into the narrowest
	// column, not at all. What is longer, and addresses and IDs, may break anywhere.
	const name = /^[a-z][a-z0-9_]*(\.[a-z0-9_*]+)+$/i;
	const word = /^[\p{P}]*\p{L}{1,14}[\p{P}]*$/u;
	const line = document.createRange();
	for (const cell of document.querySelectorAll('td, th, h1, dd, .catalogue li, .check')) {
		const texts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
		const letters = []; // of the cell, each with its top
		let last = null; // that a text before was in
		while (texts.nextNode()) {
			const node = texts.currentNode;
			// What belongs together goes on in the next text: a name is a text for each of its words.
			const within = node.parentElement.closest('.foreign') ?? node.parentElement;
			if (last && last !== within) letters.push({ c: ' ' });
			last = within;
			line.selectNode(node);
			const lines = line.getClientRects();
			for (let at = 0; at < node.data.length; at++) {
				if (lines.length > 1) {
					line.setStart(node, at);
					line.setEnd(node, at + 1);
				}
				letters.push({ c: node.data[at], top: (lines.length > 1 ? line.getBoundingClientRect() : lines[0])?.top });
			}
		}
		for (let at = 0, from = 0; at <= letters.length; at++) {
			if (at < letters.length && !/\s/.test(letters[at].c)) continue;
			const all = letters.slice(from, at);
			from = at + 1;
			const text = all.map((l) => l.c).join('');
			const bad = name.test(text) ? (l, i) => all[i - 1].c !== '.' : word.test(text) ? () => true : () => false;
			if (all.some((l, i) => i > 0 && Math.abs(l.top - all[i - 1].top) > 3 && bad(l, i))) wrong.push({ what: 'broken ' + text, text: `broken in the midst: ${text}` });
		}
	}
	return wrong;
}));

// look holds the page as it stands to what holds everywhere: nothing too wide, cut off or broken, at 360 px neither; nothing
// that axe-core calls serious, in both themes; and no element of a foreign value.
export async function look(page, name, themes = ['light', 'dark']) {
	await page.locator('.skeleton').first().waitFor({ state: 'detached' }).catch(() => problems.push(`${name}: still loading`));
	problems.push(...(await misplaced(page)).map((text) => `${name}: ${text}`));
	const { width, height } = page.viewportSize();
	if (width > 360) {
		await page.setViewportSize({ width: 360, height });
		problems.push(...(await misplaced(page)).map((text) => `${name}, at 360 px: ${text}`));
		await page.setViewportSize({ width, height });
	}
	if (await page.locator('img[src="x"]').count()) problems.push(`${name}: a foreign value became an element`);
	for (const theme of themes) {
		await page.emulateMedia({ colorScheme: theme });
		// Themes differ in their colours alone.
		problems.push(...(await staying(() => serious(page, theme !== themes[0]))).map((text) => `${name}, ${theme}: ${text}`));
		if (shots) await page.screenshot({ path: `${shots}/${name}-${theme}.png` });
	}
}

// serious is what axe-core finds. It is run by the debugger, which no policy of the page's concerns, and read by a page once.
// It does not fetch style sheets and media anew, which none of these rules needs here.
async function serious(page, coloursOnly) {
	if (!await page.evaluate(() => Boolean(window.axe))) await page.evaluate(axe + '; 0');
	const found = await page.evaluate(async (coloursOnly) => {
		const what = { resultTypes: ['violations'], preload: false, ...(coloursOnly && { runOnly: ['color-contrast', 'link-in-text-block'] }) };
		try { return (await window.axe.run(document, what)).violations; } catch (error) { return [{ id: 'axe-core failed', impact: 'critical', nodes: [{ html: '', failureSummary: String(error) }] }]; }
	}, coloursOnly);
	return found.filter((f) => ['serious', 'critical'].includes(f.impact)).map((v) => ({ what: v.id, text: `${v.id}: ${v.nodes[0].html} ${v.nodes[0].failureSummary}` }));
}

// endpoint is a customer's: it answers what it is told, and keeps what came.
export function endpoint(port = 0) {
	const e = { status: 200, answer: 'no: ' + shown, got: [] };
	e.server = http.createServer((request, response) => {
		let body = '';
		request.on('data', (piece) => { body += piece; });
		request.on('end', () => {
			e.got.push({ url: request.url, headers: request.headers, body });
			response.writeHead(e.status, { 'Content-Type': 'text/plain' }).end(e.status === 200 ? 'taken' : e.answer);
		});
	});
	return new Promise((done) => { e.server.listen(port, '127.0.0.1', () => { e.url = `http://127.0.0.1:${e.server.address().port}/hook`; done(e); }); });
}

// receive sends an event to the gateway, signed as its provider does.
export async function receive(id, event, data, path = '/webhooks', more = {}) {
	const body = JSON.stringify({ event, timestamp: new Date().toISOString(), data });
	const signature = createHmac('sha256', 'your_webhook_secret').update(body).digest('hex');
	const response = await fetch(gateway + path, { method: 'POST', body, headers: { 'Content-Type': 'application/json', 'X-VideoCloud-Event': event, 'X-VideoCloud-Event-Id': id, 'X-VideoCloud-Signature': signature, ...more } });
	return response.status;
}

// ended waits until a key is refused, which takes a second at most.
export const ended = (token) => until('the key ends', async () => (await fetch(site + '/webhooks', { headers: { Authorization: `Bearer ${token}` } })).status === 401);
// press presses a button that the page itself may take away before, as it asks regularly: then what comes of it is there
// all the same.
export async function press(page, name, seen) {
	await until(name, async () => {
		await button(page, name).first().click({ timeout: 2000 }).catch(() => {});
		return seen({ timeout: 5000 }).then(() => true, () => false);
	});
}

// refreshed presses Refresh until something is there. Each time has long enough: pressed again, a page no longer waits for the answer before.
export async function refreshed(page, seen) {
	await until('it is in the list', async () => {
		await button(page, 'Refresh').last().click();
		return seen().waitFor({ timeout: 5000 }).then(() => true, () => false);
	});
}

export const button = (page, name) => page.getByRole('button', { name, exact: true });
export const dialog = (page) => page.getByRole('dialog');
// step says what comes, and how long the walk took up to there.
export const step = (text) => console.log(`${(performance.now() / 1000).toFixed(1)} s: ${text}`);

// walk does what a walk does, says what was wrong, and ends all that was begun, the browser and servers among it: no connection
// that somebody holds keeps it.
export async function walk(does) {
	try { await does(); } catch (error) { problems.push(error.stack); }
	// What stands on the pages says most of why something on them was waited for in vain.
	if (problems.length) for (const page of browser.contexts().flatMap((c) => c.pages())) problems.push(`${page.url()}: ${await page.innerText('body').catch((error) => error.message)}`.slice(0, 600));
	await browser.close();
	for (const problem of problems) console.error(problem);
	process.exit(problems.length ? 1 : 0);
}
