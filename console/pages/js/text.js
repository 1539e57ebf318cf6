// How values are written: numbers, times, and text that came from outside.

const number = new Intl.NumberFormat();
export const count = (n) => (n === undefined || n === null ? '–' : number.format(n));

export function milliseconds(ms) {
	if (ms === undefined || ms === null) return '–';
	if (ms < 1000) return `${Math.round(ms)} ms`;
	return ms < 60000 ? `${(ms / 1000).toFixed(ms < 10000 ? 2 : 1)} s` : seconds(ms / 1000);
}

export function seconds(s) {
	if (s === undefined || s === null) return '–';
	for (const [unit, size] of [['d', 86400], ['h', 3600], ['min', 60]]) {
		if (s >= size) return `${Math.floor(s / size)} ${unit}${size > 60 && Math.floor((s % size) / (size === 86400 ? 3600 : 60)) ? ` ${Math.floor((s % size) / (size === 86400 ? 3600 : 60))} ${size === 86400 ? 'h' : 'min'}` : ''}`;
	}
	return `${Math.round(s)} s`;
}

const day = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
const near = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto', style: 'short' });

// ago is a time as people say it; older ones by their date.
export function ago(date, now = Date.now()) {
	const s = (date - now) / 1000;
	const far = Math.abs(s);
	if (far < 5) return 'now';
	if (far < 60) return near.format(Math.round(s), 'second');
	if (far < 3600) return near.format(Math.round(s / 60), 'minute');
	if (far < 86400) return near.format(Math.round(s / 3600), 'hour');
	return day.format(date);
}

// exact is a time to the millisecond, in the reader's zone, and in UTC as the API has it.
export const exact = (date) => `${day.format(date)} (${date.toISOString()})`;

// hiding are characters that show nothing, or turn around what stands beside them; those that choose a picture's style are none.
const hiding = /(?![\t\n\ufe0e\ufe0f])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

// turned is writing from right to left, up to a quote or the line's end.
const turned = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}](?:[^"\n]*[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}])?/gu;

// split cuts a text where it matches: what make makes of that stands between the rest.
function split(text, by, make) {
	const parts = [];
	let from = 0;
	for (const found of text.matchAll(by)) {
		const made = make(found);
		if (!made) continue;
		if (found.index > from) parts.push(text.slice(from, found.index));
		parts.push(made);
		from = found.index + found[0].length;
	}
	if (from < text.length) parts.push(text.slice(from));
	return parts;
}

// visible splits a text into what can be shown, marks such as U+202E for what can't, and, in lines that are read from left
// to right, what is written the other way: it stands apart, so that commas and quotes around it stay where they are.
export function visible(text, lines = false) {
	const parts = split(text, hiding, ({ 0: c, index }) => (lines && c === '\r' && text[index + 1] === '\n' ? null : { mark: 'U+' + c.codePointAt(0).toString(16).toUpperCase().padStart(4, '0') }));
	return lines ? parts.flatMap((part) => (part.mark ? part : split(part, turned, ({ 0: apart }) => ({ apart })))) : parts;
}

// plain is the same where there is room for text alone: in an attribute, or in what is chosen from.
export const plain = (text) => visible(String(text ?? '')).map((part) => part.mark ?? part).join('');

// shell quotes a word for a POSIX shell. Control characters go by printf's escapes, so that pasting runs nothing.
export function shell(word) {
	// eslint-disable-next-line no-control-regex
	if (/[\u0000-\u001f\u007f]/.test(word)) {
		// eslint-disable-next-line no-control-regex
		return "$'" + word.replace(/[\\']/g, '\\$&').replace(/[\u0000-\u001f\u007f]/g, (c) => '\\x' + c.charCodeAt(0).toString(16).padStart(2, '0')) + "'";
	}
	return "'" + word.replaceAll("'", `'\\''`) + "'";
}

// member returns the text of a member of a JSON object as it stands, by a path of names: numbers that JavaScript can't
// hold, the order of keys and escapes stay. It is undefined where there is none.
export function member(json, ...path) {
	let at = 0;
	const space = () => { while (/\s/.test(json[at] ?? '')) at++; };
	const string = () => {
		const from = at++;
		while (json[at] !== '"') at += json[at] === '\\' ? 2 : 1;
		return json.slice(from, ++at);
	};
	const skip = () => {
		for (let depth = 0; at < json.length;) {
			const c = json[at];
			if (c === '"') string();
			else if (c === '{' || c === '[') { depth++; at++; }
			else if (c === '}' || c === ']') { if (depth === 0) return; depth--; at++; }
			else if (c === ',' && depth === 0) return;
			else at++;
			if (depth === 0 && (c === '"' || c === '}' || c === ']')) return;
		}
	};
	for (const name of path) {
		space();
		if (json[at++] !== '{') return undefined;
		for (let found = false; !found;) {
			space();
			if (json[at] !== '"') return undefined;
			found = JSON.parse(string()) === name;
			space();
			at++; // the colon
			space();
			if (found) break;
			skip();
			space();
			if (json[at++] !== ',') return undefined;
		}
	}
	const from = at;
	skip();
	return json.slice(from, at).trim();
}

// indented lays JSON out over lines without reading its values.
export function indented(json) {
	let out = '';
	let depth = 0;
	const line = () => { out += '\n' + '  '.repeat(Math.min(depth, 40)); };
	for (let at = 0; at < json.length; at++) {
		const c = json[at];
		if (c === '"') {
			const from = at++;
			while (at < json.length && json[at] !== '"') at += json[at] === '\\' ? 2 : 1;
			out += json.slice(from, at + 1);
		} else if (c === '{' || c === '[') {
			const rest = json.slice(at + 1).match(/^\s*([}\]])/);
			if (rest) { out += c + rest[1]; at += rest[0].length; continue; }
			depth++; out += c; line();
		} else if (c === '}' || c === ']') {
			depth--; line(); out += c;
		} else if (c === ',') { out += c; line(); }
		else if (c === ':') out += ': ';
		else if (!/\s/.test(c)) out += c;
	}
	return out;
}
