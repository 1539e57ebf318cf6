// The catalogue of event types, read once for all views.
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

// sampleOf is what a sample event of a type holds: its example, where it has one.
export function sampleOf(type) {
	if (type?.example) return JSON.stringify(type.example.data ?? type.example, null, 2);
	return JSON.stringify({ id: 'vid_123456', title: 'A sample from the console' }, null, 2);
}
