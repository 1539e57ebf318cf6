// Each receiver: what came in, why it was refused, and its queue.
import { html, Choice, Empty, Head, Loaded, Name, NotOffered, count, link, seconds, tone, useFilters } from '../parts.js';
import { inside, may, query } from '../api.js';
import { useLoad } from '../load.js';
import { windows } from '../plot.js';

export const needsOperator = (what) => html`<${NotOffered} what=${what + ' to this key'} why="They concern every account: log in with a key for all accounts (api_key … *) with role all or read." />`;

// gateways puts together what belongs to one name. What was counted is that of all processes; where the store can't say, of this one.
export function gateways(stats) {
	const by = new Map();
	const of = (name) => {
		if (!by.has(name)) by.set(name, { name, schemes: [], queues: [], requests: {}, attempts: {} });
		return by.get(name);
	};
	for (const r of stats.receivers) {
		const g = of(r.name);
		if (r.scheme) g.schemes.push(r.scheme);
		if (!stats.counted) add(g, r.requests);
	}
	for (const c of stats.counted ?? []) {
		const g = of(c.name);
		g.buckets = c.buckets;
		for (const b of c.buckets) add(g, b.counts);
	}
	// The queue of one deliver is named after its receiver, a slash, and itself; that of a receiver called sender is set apart.
	for (const q of stats.queues) if (q.queue !== 'sender') of(by.has(q.queue) ? q.queue : q.queue.replace(/^receiver:|\/[^/]*$/g, '')).queues.push(q);
	return [...by.values()];
}

function add(g, counts) {
	for (const [outcome, n] of Object.entries(counts)) {
		const into = attempts.has(outcome) ? g.attempts : g.requests;
		into[outcome] = (into[outcome] ?? 0) + n;
	}
}

// What became of events that the queue brought to the app; all else is how a request was answered.
export const attempts = new Set(['delivered', 'retried', 'dead']);
export const since = (s) => (s.counted ? 'Requests over all processes' : 'Requests since this process started (the store does not answer)');

// held is how many events are in a place of a receiver's queues: waiting, in_flight or dead.
export const held = (g, ...places) => g.queues.reduce((n, q) => n + places.reduce((m, place) => m + (q.depth[place] ?? 0), 0), 0);
export const oldest = (g) => Math.max(0, ...g.queues.map((q) => q.oldestDueSeconds));

// Processes add what they counted once a second, so an event can be in the queue before it is counted.
export const noneYet = html`<span class="muted">None counted in this time yet.</span>`;

export const Outcomes = ({ of }) => html`<span class="tags">${Object.entries(of).filter(([, n]) => n > 0).sort((a, b) => b[1] - a[1]).map(([outcome, n]) => html`<span class=${'status ' + (tone(outcome) || 'bad')}>${count(n)} ${outcome.replaceAll('_', ' ')}</span>`)}</span>`;

export default function Gateways() {
	const { by: { window }, change } = useFilters({ window: '24h' }, { window: windows });
	const stats = useLoad(async (signal) => (may.operate() ? inside('GET', 'gateways' + query({ window }), undefined, { signal }) : null), [window], 3000);
	if (!may.operate()) return html`<${Head} title="Gateways" />${needsOperator('gateways')}`;
	return html`<${Head} title="Gateways"><${Choice} label="Time span" value=${window} onValue=${change('window')} options=${windows} /></${Head}><${Loaded} from=${stats}>${(s) => {
		const all = gateways(s);
		if (!all.length) return html`<${Empty} title="No gateway here"><p class="muted">A gateway checks what other services send before it reaches your app: write <code>webhook_receiver</code> into the Caddyfile.</p></${Empty}>`;
		return html`<div class="stack"><p class="small muted">${since(s)}; queues over all processes.</p><div class="card flush"><table>
			<thead><tr><th>Receiver</th><th>Requests by outcome</th><th class="fit number some">Waiting</th><th class="fit number">Dead</th><th class="fit extra">Oldest due</th></tr></thead>
			<tbody>${all.map((g) => html`<tr key=${g.name}><td><a href=${link('gateways', g.name)}><${Name} of=${g.name || 'without a name'} /></a><div class="small muted">${[...new Set(g.schemes)].map((scheme, n) => html`${n > 0 && ', '}<${Name} of=${scheme} />`)}</div></td>
				<td>${Object.keys(g.requests).length ? html`<${Outcomes} of=${g.requests} />` : noneYet}</td>
				<td class="fit number some">${g.queues.length ? count(held(g, 'waiting', 'in_flight')) : '–'}</td><td class=${'fit number' + (held(g, 'dead') ? ' wrong' : '')}>${g.queues.length ? count(held(g, 'dead')) : '–'}</td><td class="fit extra">${g.queues.length ? seconds(oldest(g)) : '–'}</td></tr>`)}</tbody></table></div></div>`;
	}}</${Loaded}>`;
}
