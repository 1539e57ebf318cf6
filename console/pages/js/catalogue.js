// What is the same for every view: the catalogue of event types, and the webhooks of the account.
import { get, session } from './api.js';

const kept = { types: null, key: '' };

export function eventTypes(again) {
	const key = session.key + ' ' + session.account;
	if (!kept.types || kept.key !== key || again) {
		kept.key = key;
		kept.types = get('event-types').then((a) => a.items);
		kept.types.catch(() => { kept.types = null; });
	}
	return kept.types;
}

// groups are the types by their group.
export function groups(types) {
	const by = new Map();
	for (const t of types) {
		const group = t.group || t.name.split('.')[0];
		by.set(group, [...(by.get(group) ?? []), t]);
	}
	return [...by];
}

// allWebhooks reads every page: an account has 1,000 at most.
export async function allWebhooks(signal, part) {
	let items = [];
	for (let cursor; ;) {
		const page = await get('webhooks?limit=100' + (cursor ? '&cursor=' + encodeURIComponent(cursor) : ''), { signal });
		items = items.concat(page.items);
		cursor = page.nextCursor;
		if (!cursor) return items;
		part?.(items);
	}
}

// sampleOf is what a sample event of a type holds: its example, where it has one.
export function sampleOf(type) {
	if (type?.example) return JSON.stringify(type.example.data ?? type.example, null, 2);
	return JSON.stringify({ id: 'vid_123456', title: 'A sample from the console' }, null, 2);
}
