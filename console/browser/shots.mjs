// Pictures of what a view looks like at 360 px, 1280 px and 4K, in both themes, in the folder that CONSOLE_LOOKS names.
import { open, visit } from './common.mjs';

const folder = process.env.CONSOLE_LOOKS;
const sizes = { narrow: [360, 800], usual: [1280, 800], wide: [3840, 2160] };

// tabs are one of each size, logged in, and what each does is done in both.
export const tabs = {};
for (const [name, [width, height]] of Object.entries(sizes)) {
	tabs[name] = await open(width);
	await tabs[name].setViewportSize({ width, height });
}

export async function shoot(name, whole = true) {
	for (const [size, tab] of Object.entries(tabs)) {
		await tab.locator('.skeleton').first().waitFor({ state: 'detached' });
		for (const colorScheme of ['light', 'dark']) {
			await tab.emulateMedia({ colorScheme });
			await tab.waitForTimeout(150);
			await tab.screenshot({ path: `${folder}/${size}-${colorScheme}-${name}.png`, fullPage: whole && size === 'narrow' });
		}
	}
}

export async function each(does) {
	for (const tab of Object.values(tabs)) await does(tab);
}

// look takes a view, by its address and a word to wait for.
export async function look(name, hash, word, does) {
	await each(async (tab) => {
		await tab.goto('about:blank');
		await visit(tab, hash);
		await tab.locator('main', { hasText: word }).first().waitFor();
		await does?.(tab);
	});
	await shoot(name);
}

export const plain = { overview: ['/', 'Overview'], webhooks: ['/webhooks', 'Webhooks'], events: ['/events', 'Events'], deliveries: ['/deliveries', 'Deliveries'], types: ['/event-types', 'Event types'], gateways: ['/gateways', 'Gateways'], live: ['/live', 'Live'], keys: ['/keys', 'Keys'] };
export const views = async (state, all) => { for (const [name, [hash, word]] of Object.entries(all)) await look(`${state}-${name}`, hash, word); };
