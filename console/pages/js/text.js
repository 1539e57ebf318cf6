// The texts of payloads and commands: JSON as it stands, and words for a shell.

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
