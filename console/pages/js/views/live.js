// Every outcome as it happens.
import { html, Copy, Empty, Field, Foreign, Head, Name, NotOffered, Said, Time, count, link, milliseconds, useFilters } from '../parts.js';
import { useEffect, useRef, useState } from '../../vendor/htm-preact.js';
import { leave, live, may } from '../api.js';

const kept = 500;
const kinds = [['', 'Everything'], ['attempt', 'Attempts of the sender'], ['received', 'Requests to gateways'], ['delivery', 'Deliveries behind gateways']];
const outcomes = [['', 'Any outcome'], ['good', 'What went well'], ['bad', 'What did not']];

const wellKnown = new Set(['success', 'succeeded', 'accepted', 'queued', 'duplicate', 'challenge', 'in_flight']);
const good = (l) => wellKnown.has(l.outcome);

// useLive reads the stream while the view is there, and goes on where it broke off. While it is held, lines gather in
// a bounded heap.
function useLive(held) {
	const [state, set] = useState({ lines: [], gathered: [], missed: 0, connected: false, error: '' });
	const holding = useRef(held);
	const waiting = useRef([]);
	holding.current = held;
	useEffect(() => {
		if (!held && waiting.current.length) take([]);
	}, [held]);
	function take(lines) {
		// What was left out is told at once: it takes no room in the heap, nor falls out of it.
		const left = lines.reduce((n, l) => n + (l.leftOut ?? 0), 0);
		waiting.current = [...waiting.current, ...lines.filter((l) => !l.leftOut)].slice(-kept);
		if (holding.current) { const gathered = waiting.current; set((s) => ({ ...s, gathered, missed: s.missed + left })); return; }
		const more = waiting.current.reverse();
		waiting.current = [];
		set((s) => ({ ...s, gathered: [], missed: s.missed + left, lines: [...more, ...s.lines].slice(0, kept) }));
	}
	useEffect(() => {
		const stop = new AbortController();
		let last = '';
		let number = 0;
		const read = async () => {
			const response = await live(last, stop.signal);
			if (response.status === 401) { leave('The key is not known any more. Log in with another one.'); return; }
			if (!response.ok) throw new Error(`The server answered ${response.status}.`);
			set((s) => ({ ...s, connected: true, error: '' }));
			const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
			let text = '';
			for (;;) {
				const { value, done } = await reader.read();
				if (done) return;
				const blocks = (text + value).split('\n\n');
				text = blocks.pop();
				const lines = [];
				for (const block of blocks) {
					const fields = {};
					for (const line of block.split('\n')) {
						const at = line.indexOf(': ');
						if (at > 0) fields[line.slice(0, at)] = line.slice(at + 2);
					}
					if (fields.id) last = fields.id;
					if (fields.data && fields.event !== 'hello') lines.push({ ...JSON.parse(fields.data), n: number++ });
				}
				if (lines.length) take(lines);
			}
		};
		const run = async () => {
			for (let pause = 500; !stop.signal.aborted; pause = Math.min(pause * 2, 10000)) {
				const began = Date.now();
				try { await read(); } catch (error) { if (!stop.signal.aborted) set((s) => ({ ...s, error: error.message })); }
				if (stop.signal.aborted) return;
				set((s) => ({ ...s, connected: false }));
				if (Date.now() - began > 10000) pause = 500;
				await new Promise((go) => { setTimeout(go, pause); });
			}
		};
		run();
		return () => stop.abort();
	}, []);
	return { ...state, clear: () => set((s) => ({ ...s, lines: [], missed: 0 })) };
}

export default function Live() {
	if (!may.operate()) return html`<${Head} title="Live" /><${NotOffered} what="the live tail to this key" why="It concerns every account: log in with a key for all accounts (api_key … *) with role all or read." />`;
	return html`<${Tail} />`;
}

// useReading says whether somebody reads further down, or has the focus on a line: what moves under their eyes can't be read.
function useReading(list) {
	const [reading, set] = useState({ below: false, focused: false });
	useEffect(() => {
		const scrolled = () => set((r) => (r.below === scrollY > 40 ? r : { ...r, below: scrollY > 40 }));
		addEventListener('scroll', scrolled, { passive: true });
		return () => removeEventListener('scroll', scrolled);
	}, []);
	const focus = (e) => set((r) => ({ ...r, focused: e.type === 'focusin' && e.target !== list.current }));
	return { now: reading.below || reading.focused, listens: { onFocusIn: focus, onFocusOut: focus } };
}

function Tail() {
	const [paused, hold] = useState(false);
	const list = useRef(null);
	const reading = useReading(list);
	const held = paused || reading.now;
	const { by, change } = useFilters({ kind: '', outcome: '', search: '' });
	const tail = useLive(held);
	const words = by.search.toLowerCase();
	const wanted = (l) => (!by.kind || l.kind === by.kind) && (!by.outcome || (by.outcome === 'good') === good(l)) && (!words || JSON.stringify(l).toLowerCase().includes(words));
	const lines = tail.lines.filter(wanted);
	const fresh = tail.gathered.filter(wanted).length;
	return html`<${Head} title="Live"><span role="status" class=${'status ' + (tail.connected ? (held ? 'warn' : 'good') : 'bad')}>${!tail.connected ? 'connecting' : paused ? 'paused' : held ? 'paused while you read' : 'watching'}</span>
		<button onClick=${() => hold(!paused)}>${paused ? 'Go on' : 'Pause'}</button><${Copy} class="" title="Copies the lines that are shown" text=${lines.map((l) => JSON.stringify({ ...l, n: undefined })).join('\n')} /><button onClick=${tail.clear}>Clear</button></${Head}>
	<div class="filters"><${Field} label="What" as="select" options=${kinds} value=${by.kind} onValue=${change('kind')} /><${Field} label="Outcome" as="select" options=${outcomes} value=${by.outcome} onValue=${change('outcome')} />
		<${Field} label="Holds" type="search" placeholder="an event, a webhook, a name" value=${by.search} onValue=${change('search')} /></div>
	${tail.error && html`<p class="note bad" role="alert"><${Said} error=${tail.error} /> Trying again…</p>`}
	${tail.missed > 0 && html`<p class="note warn">${count(tail.missed)} outcomes came faster than they could be shown, and were left out.</p>`}
	${!lines.length ? html`<${Empty} title=${tail.lines.length ? 'Nothing of this kind yet' : 'Waiting for the first outcome'}><p class="muted">What happens from now on shows up here within a second.</p></${Empty}>`
		: html`<div ...${reading.listens}>${reading.now && !paused && fresh > 0 && html`<p class="fresh"><button class="main" onClick=${() => { scrollTo(0, 0); list.current.focus({ preventScroll: true }); }}>${count(fresh)} new: show them</button></p>`}
			<div class="card flush sheet" ref=${list} tabindex="-1"><table><caption class="hidden">Outcomes, newest first</caption><thead><tr><th class="fit">Outcome</th><th>Event</th><th class="extra">What</th><th class="fit some number">Took</th><th class="fit some">When</th></tr></thead>
		<tbody>${lines.map((l) => html`<${Line} key=${l.n} of=${l} />`)}</tbody></table></div></div>`}`;
}

// What says who was asked, and what went wrong.
const What = ({ of: l }) => html`${l.kind === 'attempt' ? html`attempt ${l.attempt ?? l.number} to <${Foreign} text=${l.url ?? l.webhookId ?? ''} />` : l.kind === 'received' ? html`gateway <${Foreign} text=${l.name || 'without a name'} />, <${Foreign} text=${l.scheme ?? ''} />` : html`behind gateway <${Foreign} text=${l.name || 'without a name'} />, attempt ${l.attempt}`}
	${l.error && html`<div class="wrong"><${Said} error=${l.error} /></div>`}`;

function Line({ of: l }) {
	const type = l.type ?? l.event;
	return html`<tr><td class="fit"><span class=${'status ' + (good(l) ? 'good' : l.outcome === 'retrying' ? 'warn' : 'bad')}>${String(l.outcome ?? '').replaceAll('_', ' ')}${l.statusCode ? ` ${l.statusCode}` : ''}</span></td>
		<td>${l.kind === 'attempt' && l.deliveryId ? html`<a href=${link('deliveries', l.deliveryId)}><${Name} of=${type ?? 'an event'} /></a>` : html`<${Name} of=${type ?? '–'} />`}<div class="small muted mono some"><${Foreign} text=${l.eventId ?? l.id ?? ''} /></div><div class="small muted only-narrow"><${What} of=${l} /><${Time} at=${l.at} /></div></td>
		<td class="extra"><${What} of=${l} /></td>
		<td class="fit some number">${milliseconds(l.durationMs)}</td><td class="fit some"><${Time} at=${l.at} /></td></tr>`;
}
