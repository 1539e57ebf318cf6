// What views are put together from, and how values are written. Every value reaches the page as text.
import { html, useState, useEffect, useRef } from '../vendor/htm-preact.js';
import { query } from './api.js';
import { useAct } from './load.js';

export { html };

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
function ago(date, now = Date.now()) {
	const s = (date - now) / 1000;
	const far = Math.abs(s);
	if (far < 5) return 'now';
	if (far < 60) return near.format(Math.round(s), 'second');
	if (far < 3600) return near.format(Math.round(s / 60), 'minute');
	if (far < 86400) return near.format(Math.round(s / 3600), 'hour');
	return day.format(date);
}

// exact is a time to the millisecond, in the reader's zone, and in UTC as the API has it.
const exact = (date) => `${day.format(date)} (${date.toISOString()})`;

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
function visible(text, lines = false) {
	const parts = split(text, hiding, ({ 0: c, index }) => (lines && c === '\r' && text[index + 1] === '\n' ? null : { mark: 'U+' + c.codePointAt(0).toString(16).toUpperCase().padStart(4, '0') }));
	return lines ? parts.flatMap((part) => (part.mark ? part : split(part, turned, ({ 0: apart }) => ({ apart })))) : parts;
}

// plain is the same where there is room for text alone: in an attribute, or in what is chosen from.
export const plain = (text) => visible(String(text ?? '')).map((part) => part.mark ?? part).join('');

const Mark = ({ of }) => html`<span class="mark" title="a character that can’t be seen">${of}</span>`;

// Foreign shows text that came from outside: characters that would hide or turn things around are named.
export const Foreign = ({ text, lines, mono }) => html`<bdi class=${'foreign' + (mono ? ' mono' : '')} dir=${lines ? 'ltr' : undefined}>${
	visible(String(text ?? ''), lines).map((part) => (part.mark ? html`<${Mark} of=${part.mark} />` : part.apart ? html`<bdi>${part.apart}</bdi>` : part))}</bdi>`;

// Name shows the name of an event type or of a receiver, which come from outside too: its lines end after a dot, and elsewhere
// only where one word of it alone is wider than its room.
export const Name = ({ of }) => html`<bdi class="foreign name">${
	visible(String(of ?? '')).map((part) => (part.mark ? html`<${Mark} of=${part.mark} />` : part.split(/(?<=\.)/).map((word, n) => html`${n > 0 && html`<wbr />`}${word.length > 16 ? html`<span class="long">${word}</span>` : word}`)))}</bdi>`;

const short = { id: 'ID', url: 'URL' };

// sentence is what the API says as people read it: it begins with a capital, the names of fields as words, and ends with a full
// stop. What begins with something else, such as the name of a header, stays as it is.
function sentence(text) {
	const begun = text.replace(/^[a-z]+(?:[A-Z][a-z]+)*(?=[\s,;]|:\s|:?$)/, (name) => {
		const words = name.replace(/[A-Z]/g, (c) => ' ' + c.toLowerCase()).split(' ').map((w) => (Object.hasOwn(short, w) ? short[w] : w)).join(' ');
		return words[0].toUpperCase() + words.slice(1);
	});
	return /[\p{L}\p{N}"'’”)\]]$/u.test(begun) ? begun + '.' : begun;
}

// Said is what went wrong, wherever it is told: an error that was caught, an answer's, or an attempt's.
export const Said = ({ error }) => html`<${Foreign} text=${sentence(String(error?.message ?? error ?? ''))} />`;

export function Time({ at }) {
	const date = new Date(at);
	if (!at || Number.isNaN(date.getTime())) return html`<span class="muted">–</span>`;
	return html`<time datetime=${date.toISOString()} title=${exact(date)}>${ago(date)}</time>`;
}

const tones = {
	active: 'good', succeeded: 'good', success: 'good', ok: 'good', done: 'good', accepted: 'good', queued: 'good', duplicate: 'good', challenge: 'good', delivered: 'good',
	failed: 'bad', unavailable: 'bad', disabled: 'bad', failure: 'bad', dead: 'bad',
	retrying: 'warn', retried: 'warn', paused: 'warn', running: 'warn', in_flight: 'warn',
};
export const tone = (status) => tones[status] ?? '';
export const Status = ({ of }) => html`<span class=${'status ' + tone(of)}>${String(of).replaceAll('_', ' ')}</span>`;

export const Skeleton = ({ lines = 4 }) => html`<div class="skeleton" role="status" aria-label="Loading">${Array.from({ length: lines }, () => html`<i></i>`)}</div>`;

// Wrong says what went wrong, with the button that may help: what the page itself lacks comes with another load of it.
export const Wrong = ({ error, again }) => html`<div class="note bad row between" role="alert"><span><${Said} error=${error} /></span>
	${error.code === 'reload' ? html`<button onClick=${() => location.reload()}>Load the page again</button>` : again && html`<button onClick=${again}>Try again</button>`}</div>`;

// Loaded shows what useLoad has: a skeleton, an error, or what children make of it. An error beside what was there
// before stands above it.
export function Loaded({ from, lines, title, back, children }) {
	if (from.data === undefined && from.error) return html`${title && html`<${Head} title=${title} back=${back} />`}<${Wrong} error=${from.error} again=${from.reload} />`;
	if (from.data === undefined) return html`<${Skeleton} lines=${lines} />`;
	return html`${from.error && html`<${Wrong} error=${from.error} again=${from.reload} />`}${children(from.data)}`;
}

// Listed shows what usePages or useSheets has. Another sheet begins where it can be read: the focus goes there.
export function Listed({ from, empty, children }) {
	const top = useRef(null);
	useEffect(() => {
		if (!from.turned || !top.current) return;
		top.current.scrollIntoView();
		top.current.focus({ preventScroll: true });
	}, [from.turned]);
	const { items, row, cursor, error, loading, total } = from;
	if (!items.length && !from.previous) {
		if (error) return html`<${Wrong} error=${error} again=${from.retry} />`;
		if (loading) return html`<div class="card flush"><${Skeleton} lines=${6} /></div>`;
		if (!cursor) return empty;
	}
	const last = row + items.length - 1;
	const said = `${row > 1 ? `${count(row)} to ` : ''}${count(last)} shown${total > items.length ? ` of ${count(total)}` : ''}${!cursor && total === undefined && last > 20 ? ', that is all' : ''}`;
	const turns = html`${from.previous && html`<button ...${busy(loading, from.previous)}>Previous rows</button>`}`;
	return html`<div class="stack sheet" ref=${top} tabindex="-1" role="group" aria-label=${`Rows from ${row}`}>
		${from.previous && html`<div class="row between small muted"><span>Rows from ${count(row)}</span><div class="row">${turns}</div></div>`}
		${items.length > 0 && html`<div class="card flush">${children(items)}</div>`}
		${error && html`<${Wrong} error=${error} again=${from.retry} />`}
		<div class="row between small muted">
			<span aria-live="polite">${said}${from.note}</span>
			<div class="row">${turns}${!error && from.next && html`<button ...${busy(loading, from.next)}>Next rows</button>`}
			${!error && from.more && html`<button ...${busy(loading, from.more)}>${loading ? 'Loading…' : items.length ? 'Load more' : 'Search further'}</button>`}</div>
		</div>
	</div>`;
}

// busy is a button that does nothing for now. It stays what has the focus, which a disabled one loses.
const busy = (waits, does) => ({ 'aria-disabled': waits ? 'true' : undefined, onClick: () => { if (!waits) does(); } });

export const Empty = ({ title, children }) => html`<div class="card empty"><h2>${title}</h2>${children}</div>`;

export const NotOffered = ({ what, why }) => html`<div class="note">This server doesn’t offer ${what}. ${why ?? 'A newer version may.'}</div>`;

export const Head = ({ title, foreign, back, status, children }) => html`<header class="head">
	<div class="stack tight">${back && html`<a class="back" href=${back[0]}>← ${back[1]}</a>`}
		<div class="row"><h1 tabindex="-1">${foreign ? html`<${Foreign} text=${title} />` : title}</h1>${status && html`<${Status} of=${status} />`}</div></div>
	<div class="row">${children}</div>
</header>`;

let fields = 0;
// Field is a label, its input, a hint, and what is wrong with it.
export function Field({ label, hint, wrong, children, ...input }) {
	const id = useRef(null);
	id.current ??= 'f' + ++fields;
	const { as = 'input', options, onValue, value, ...rest } = input;
	const described = [hint && id.current + 'h', wrong && id.current + 'w'].filter(Boolean).join(' ') || undefined;
	const all = { id: id.current, 'aria-describedby': described, 'aria-invalid': wrong ? 'true' : undefined, onInput: (e) => onValue?.(e.target.value), value, ...rest };
	return html`<div class="field"><label for=${id.current}>${label}</label>
		${as === 'select' ? html`<select ...${all}>${options.map(([v, text]) => html`<option value=${v} selected=${v === value}>${plain(text)}</option>`)}</select>`
			: as === 'textarea' ? html`<textarea spellcheck=${false} ...${all}></textarea>` : html`<input autocomplete="off" spellcheck=${false} ...${all} />`}
		${children}
		${hint && html`<span class="hint" id=${id.current + 'h'}>${hint}</span>`}
		${wrong && html`<span class="wrong" id=${id.current + 'w'} role="alert">${wrong}</span>`}</div>`;
}

// wrongs puts what the API refused beside the field that it names, one of these; all else stands below the form, as rest.
export function wrongs({ error }, ...names) {
	const at = names.find((name) => error?.field === name || error?.field?.startsWith(name + '.') || error?.field?.startsWith(name + '['));
	const said = error && html`<${Said} error=${error} />`;
	return { at, of: (name) => (name === at ? said : undefined), rest: error && !at && html`<p class="wrong" role="alert">${said}</p>` };
}

// Act is a button that does something: busy meanwhile, and its error beside it.
export function Act({ does, children, then, class: kind, disabled, title }) {
	const act = useAct(does);
	return html`<button type="button" class=${kind} title=${title} disabled=${disabled} ...${busy(act.busy, act.run)}>${act.busy ? 'One moment…' : children}</button>
		${act.error && html`<span class="wrong" role="alert"><${Said} error=${act.error} /></span>`}`;
}

export function Copy({ text, label = 'Copy', class: kind = 'small', title }) {
	const [done, set] = useState('');
	useEffect(() => {
		if (!done) return undefined;
		const timer = setTimeout(() => set(''), 1600);
		return () => clearTimeout(timer);
	}, [done]);
	const copy = async () => {
		try {
			await navigator.clipboard.writeText(text);
			set('Copied');
		} catch {
			set('Select and copy it by hand');
		}
	};
	return html`<button type="button" class=${kind} title=${title} onClick=${copy}><span aria-live="polite">${done || label}</span></button>`;
}

export const Code = ({ text, label }) => html`<div class="code"><pre tabindex="0" aria-label=${label ?? 'Code'}><${Foreign} text=${text} lines=${true} /></pre><${Copy} text=${text} /></div>`;

// Dialog is the browser's own: it keeps the focus inside, and Escape closes it.
export function Dialog({ title, close, children }) {
	const ref = useRef(null);
	useEffect(() => {
		const before = document.activeElement;
		ref.current.showModal();
		return () => before?.focus?.();
	}, []);
	return html`<dialog ref=${ref} aria-label=${title} onCancel=${(e) => { e.preventDefault(); close(); }}>
		<div class="stack"><div class="row between"><h2>${title}</h2><button type="button" class="small" onClick=${close}>Close</button></div>${children}</div></dialog>`;
}

// Ask is a dialog that asks before something can't be taken back; with typed, by the name of the thing.
export function Ask({ title, typed, does, close, word = 'Delete', children }) {
	const [text, set] = useState('');
	const act = useAct(does);
	return html`<${Dialog} title=${title} close=${close}><form class="form" onSubmit=${(e) => { e.preventDefault(); if (!typed || text === typed) act.run(); }}>
		${children}
		${typed && html`<${Field} label=${html`Type <code><${Foreign} text=${typed} /></code> to go on`} value=${text} onValue=${set} />`}
		${act.error && html`<p class="wrong" role="alert"><${Said} error=${act.error} /></p>`}
		<div class="row"><button class="danger" disabled=${act.busy || (typed && text !== typed)}>${act.busy ? 'One moment…' : word}</button><button type="button" onClick=${close}>Leave it</button></div>
	</form></${Dialog}>`;
}

export const Choice = ({ label, value, options, onValue }) => html`<div class="choice" role="group" aria-label=${label}>${
	options.map(([v, text]) => html`<button type="button" aria-pressed=${v === value ? 'true' : 'false'} onClick=${() => onValue(v)}>${text}</button>`)}</div>`;

export const Tags = ({ of }) => html`<span class="tags">${of.map((t) => html`<span class="tag"><${Foreign} text=${t} /></span>`)}</span>`;

// link writes an address inside the console, go goes there, and address reads the one that is open.
export const link = (...path) => '#/' + path.map(encodeURIComponent).join('/');
export const go = (to) => { location.hash = to; };
export function address() {
	const [path, search = ''] = location.hash.replace(/^#\/?/, '').split('?');
	const [at = '', id = ''] = path.split('/').map((s) => { try { return decodeURIComponent(s); } catch { return s; } });
	return { at, id, query: Object.fromEntries(new URLSearchParams(search)) };
}

// WebhookLink leads to a webhook, by its URL where that is known.
export const WebhookLink = ({ id, url = id }) => html`<a class="brief" title=${plain(url)} href=${link('webhooks', id)}><${Foreign} text=${url} /></a>`;

// useFilters is what a view was narrowed down to, by names, with what is chosen where the address says nothing. What somebody
// chooses stands in the address at once: a reload, the way back and a link that is sent to a colleague keep it. Where only some
// values can be chosen, options has them by name: what else the address says is passed over.
export function useFilters(otherwise, options = {}) {
	const fits = ([name, value]) => Object.hasOwn(otherwise, name) && (!options[name] || options[name].some(([v]) => v === value));
	const read = () => ({ ...otherwise, ...Object.fromEntries(Object.entries(address().query).filter(fits)) });
	const [by, set] = useState(read);
	useEffect(() => {
		const path = () => location.hash.split('?')[0];
		const mine = path();
		const changed = () => { if (path() === mine) set(read()); };
		addEventListener('hashchange', changed);
		return () => removeEventListener('hashchange', changed);
	}, []);
	const choose = (values) => {
		const next = { ...by, ...values };
		set(next);
		const [path] = location.hash.split('?');
		try {
			history.replaceState(null, '', (path || '#/') + query(Object.fromEntries(Object.entries(next).filter(([name, value]) => value !== otherwise[name]))));
		} catch { /* a browser that is asked too often for it refuses: the next change writes all */ }
	};
	return { by, choose, change: (name) => (value) => choose({ [name]: value }), clear: () => choose(otherwise), any: Object.keys(otherwise).some((name) => by[name] !== otherwise[name]) };
}
