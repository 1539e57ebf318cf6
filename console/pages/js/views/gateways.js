// Each receiver: what came in, why it was refused, and its queue.
import { html, Empty, Foreign, Head, Loaded, NotOffered, link, tone } from '../parts.js';
import { inside, may } from '../api.js';
import { useLoad } from '../load.js';
import { count, seconds } from '../text.js';

export const needsOperator = (what) => html`<${NotOffered} what=${what + ' to this key'} why="They concern every account: log in with a key for all accounts (api_key … *) with role all or read." />`;

// gateways puts together what belongs to one name. What was counted is that of all processes; where the store can't say, of this one.
export function gateways(stats) {
	const by = new Map();
	const of = (name) => {
		if (!by.has(name)) by.set(name, { name, schemes: [], requests: {}, attempts: {}, total: 0 });
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
		add(g, c.counts);
	}
	for (const q of stats.queues) if (q.queue !== 'sender') of(q.queue).queue = q;
	return [...by.values()];
}

function add(g, counts) {
	for (const [outcome, n] of Object.entries(counts)) {
		const into = attempts.has(outcome) ? g.attempts : g.requests;
		into[outcome] = (into[outcome] ?? 0) + n;
		if (into === g.requests) g.total += n;
	}
}

// What became of events that the queue brought to the app; all else is how a request was answered.
export const attempts = new Set(['delivered', 'retried', 'dead']);
export const since = (s) => (s.counted ? 'Requests over all processes' : 'Requests since this process started (the store does not answer)');

export const Outcomes = ({ of }) => html`<span class="tags">${Object.entries(of).filter(([, n]) => n > 0).sort((a, b) => b[1] - a[1]).map(([outcome, n]) => html`<span class=${'status ' + (tone(outcome) || 'bad')}>${count(n)} ${outcome.replaceAll('_', ' ')}</span>`)}</span>`;

export default function Gateways() {
	const stats = useLoad(async (signal) => (may.operate() ? inside('GET', 'gateways', undefined, { signal }) : null), [], 3000);
	if (!may.operate()) return html`<${Head} title="Gateways" />${needsOperator('gateways')}`;
	return html`<${Head} title="Gateways" /><${Loaded} from=${stats}>${(s) => {
		const all = gateways(s);
		if (!all.length) return html`<${Empty} title="No gateway here"><p class="muted">A gateway checks what other services send before it reaches your app: write <code>webhook_receiver</code> into the Caddyfile.</p></${Empty}>`;
		return html`<div class="stack"><p class="small muted">${since(s)}; queues over all processes.</p><div class="card flush"><table>
			<thead><tr><th>Receiver</th><th>Requests by outcome</th><th class="fit number some">Waiting</th><th class="fit number">Dead</th><th class="fit extra">Oldest due</th></tr></thead>
			<tbody>${all.map((g) => html`<tr key=${g.name}><td><a href=${link('gateways', g.name)}><${Foreign} text=${g.name || 'without a name'} /></a><div class="small muted">${[...new Set(g.schemes)].join(', ')}</div></td>
				<td>${g.total ? html`<${Outcomes} of=${g.requests} />` : html`<span class="muted">none yet</span>`}</td>
				<td class="fit number some">${g.queue ? count((g.queue.depth.waiting ?? 0) + (g.queue.depth.in_flight ?? 0)) : '–'}</td><td class=${'fit number' + (g.queue?.depth.dead ? ' wrong' : '')}>${g.queue ? count(g.queue.depth.dead ?? 0) : '–'}</td><td class="fit extra">${g.queue ? seconds(g.queue.oldestDueSeconds) : '–'}</td></tr>`)}</tbody></table></div></div>`;
	}}</${Loaded}>`;
}
