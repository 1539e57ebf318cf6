// One receiver: its outcomes, its queue, and what waits or is dead there.
import { html, Act, Ask, Choice, Code, Dialog, Empty, Field, Foreign, Head, Listed, Loaded, Name, Said, Time, count, seconds, useFilters } from '../parts.js';
import { useState } from '../../vendor/htm-preact.js';
import { inside, may, query } from '../api.js';
import { useLoad, usePages } from '../load.js';
import { attempts, gateways, needsOperator, noneYet, Outcomes, since } from './gateways.js';
import { Plot, windows } from '../plot.js';

const page = 100;
const places = [['dead', 'Dead'], ['waiting', 'Waiting']];
const taken = new Set(['accepted', 'queued', 'duplicate', 'challenge']);
const kinds = [['Taken', '--good'], ['Failed in the app', '--warn'], ['Refused', '--bad']];
const kindOf = (outcome) => (taken.has(outcome) ? 0 : outcome === 'failed' ? 1 : 2);

export default function Gateway({ id: name }) {
	const filters = useFilters({ window: '24h', state: 'dead', queue: name }, { window: windows, state: places });
	const { window } = filters.by;
	const stats = useLoad(async (signal) => {
		const all = await inside('GET', 'gateways' + query({ window }), undefined, { signal });
		const g = gateways(all).find((g) => g.name === name);
		return g ? { ...g, title: since(all) } : null;
	}, [name, window], 3000);
	const [forgetting, forget] = useState(false);
	if (!may.operate()) return html`<${Head} title=${name} foreign=${true} />${needsOperator('gateways')}`;
	return html`<${Head} title=${name || 'without a name'} foreign=${true} back=${['#/gateways', 'Gateways']}>${may.all() && name && stats.data && html`<button onClick=${() => forget(true)}>Forget an event</button>`}</${Head}>
	<${Loaded} from=${stats}>${(g) => (g === null ? html`<${Empty} title="There is no such receiver here"><p class="muted">Check its name. One is known once a process starts with a <code>webhook_receiver</code> of this <code>name</code>, and forgotten after 30 days without a request.</p><a class="button" href="#/gateways">All gateways</a></${Empty}>` : html`<div class="stack wide-gap">
		<section class="card stack"><div class="row between"><h2>${g.title}</h2>${g.buckets && html`<${Choice} label="Time span" value=${window} onValue=${filters.change('window')} options=${windows} />`}</div>${Object.keys(g.requests).length ? html`<${Outcomes} of=${g.requests} />` : html`<p>${noneYet}</p>`}
			${g.buckets && Object.keys(g.requests).length > 0 && html`<${Requests} of=${g.buckets} />`}
			${Object.keys(g.attempts).length > 0 && html`<h3>Brought to the app</h3><${Outcomes} of=${g.attempts} />`}
</section>
		${g.queues.length ? html`<section class="stack"><h2>${g.queues.length > 1 ? 'Queues' : 'Queue'}</h2><${Queues} of=${g} moved=${stats.reload} /></section><${Contents} name=${name} queues=${g.queues} filters=${filters} reload=${stats.reload} />` : html`<p class="muted">It has no queue: the app's own answer goes back to the sender.</p>`}</div>`)}</${Loaded}>
	${forgetting && html`<${Forget} name=${name} close=${() => forget(false)} />`}`;
}

// Requests are those of a receiver over time: what was taken, and what was refused.
function Requests({ of }) {
	const sum = (b, kind) => Object.entries(b.counts).reduce((n, [outcome, m]) => (attempts.has(outcome) || kindOf(outcome) !== kind ? n : n + m), 0);
	const data = [of.map((b) => new Date(b.at) / 1000), ...kinds.map((_, kind) => of.map((b) => sum(b, kind)))];
	const total = (series) => series.reduce((n, m) => n + m, 0);
	return html`<${Plot} label=${`Requests over time: ${kinds.map(([label], kind) => `${total(data[kind + 1])} ${label.toLowerCase()}`).join(', ')}`} data=${data} series=${kinds.map(([label, colour]) => ({ label, colour, bars: true }))} />`;
}

// Queues are those of a receiver: one, or one of each deliver. What a deliver left behind that the configuration has no
// more can be brought to another.
function Queues({ of: g, moved }) {
	const [from, move] = useState(null);
	const others = g.queues.filter((q) => !q.forgotten);
	return html`<div class="card flush"><table><thead><tr><th>Queue</th><th class="fit number">Waiting</th><th class="fit number some">In flight</th><th class="fit number">Dead</th><th class="fit some">Oldest due</th>${g.queues.some((q) => q.forgotten) && html`<th class="fit"><span class="hidden">Actions</span></th>`}</tr></thead>
		<tbody>${g.queues.map((q) => html`<tr key=${q.queue}><td><${Foreign} text=${q.queue} />${q.forgotten && html`<div class="small wrong">No <code>deliver</code> of the configuration has this name: nobody brings these to an app.</div>`}</td>
			<td class="fit number">${count(q.depth.waiting ?? 0)}</td><td class="fit number some">${count(q.depth.in_flight ?? 0)}</td><td class=${'fit number' + (q.depth.dead ? ' wrong' : '')}>${count(q.depth.dead ?? 0)}</td><td class="fit some">${seconds(q.oldestDueSeconds)}</td>
			${q.forgotten && html`<td class="fit">${may.all() && others.length > 0 && html`<button class="small" onClick=${() => move(q.queue)}>Move</button>`}</td>`}</tr>`)}</tbody></table></div>
		${from && html`<${Move} from=${from} to=${others.map((q) => q.queue)} close=${() => { move(null); moved(); }} />`}`;
}

function Move({ from, to, close }) {
	const [target, pick] = useState(to[0]);
	const [done, tell] = useState(null);
	return html`<${Dialog} title="Move events to another queue" close=${close}><div class="form"><p>All that <${Foreign} text=${from} /> holds, waiting and dead, goes to the queue of another <code>deliver</code>.</p>
		<${Field} label="To" as="select" value=${target} onValue=${pick} options=${to.map((name) => [name, name])} />
		<p role="status">${done !== null && `${count(done)} moved.`}</p>
		<div class="row">${done === null ? html`<${Act} class="main" does=${async () => tell((await inside('POST', 'dead', { name: from, action: 'move', to: target.slice(target.lastIndexOf('/') + 1) })).count)}>Move them</${Act}>` : html`<button class="main" onClick=${close}>Done</button>`}</div></div></${Dialog}>`;
}

// Contents are the events of a queue: those that are dead, or those that wait.
function Contents({ name: receiver, queues, filters: { by: { state, queue }, change: filter }, reload }) {
	const name = queues.some((q) => q.queue === queue) ? queue : receiver; // the address may name one of another receiver, or one that is gone
	const dead = usePages((cursor) => inside('GET', 'dead' + query({ name, state, cursor: cursor ?? '', limit: page })), [name, state]);
	const [asking, ask] = useState(null);
	const [shown, show] = useState(null);
	const change = async (action, which) => { await inside('POST', 'dead', { name, action, state, ...which }); dead.reread(); reload(); };
	const waits = state === 'waiting';
	return html`<section class="stack"><div class="row between"><div class="row"><h2>${waits ? 'Waiting events' : 'Dead events'}</h2><${Choice} label="Which events are shown" value=${state} onValue=${filter('state')} options=${places} /></div><div class="row">${queues.length > 1 && html`<${Field} label="Queue" as="select" value=${name} onValue=${filter('queue')} options=${[[receiver, 'All queues'], ...queues.map((q) => [q.queue, q.queue])]} />`}<button onClick=${dead.reload}>Refresh</button>${may.all() && dead.items.length > 0 && html`
			<${Act} does=${() => change('retry', { all: true })}>Retry all</${Act}><button class="danger" onClick=${() => ask({ all: true })}>Purge all</button>`}</div></div>
		<${Listed} from=${dead} empty=${waits ? html`<${Empty} title="Nothing waits" />` : html`<${Empty} title="Nothing is dead"><p class="muted">Events that the app refused until their attempts were used up are kept here.</p></${Empty}>`}>${(items) => html`<table>
			<thead><tr><th>Event</th><th>Last error</th><th class="fit extra number">Attempts</th><th class="fit some">${waits ? 'Due' : 'Failed'}</th><th class="fit"><span class="hidden">Actions</span></th></tr></thead>
			<tbody>${items.map((d) => html`<tr key=${d.job}><td><button class="plain flat" onClick=${() => show(d)}><${Name} of=${d.event || d.id || 'an event'} /></button><div class="small muted mono some"><${Foreign} text=${d.id ?? ''} /></div></td><td><${Said} error=${d.error ?? '–'} /></td>
				<td class="fit extra number">${d.attempts}</td><td class="fit some"><${Time} at=${waits ? d.due : d.failed} /></td>
				<td class="fit">${may.all() && html`<div class="row still"><${Act} class="small" does=${() => change('retry', { jobs: [d.job] })}>Retry</${Act}><button class="small danger" onClick=${() => ask({ jobs: [d.job] })}>Purge</button></div>`}</td></tr>`)}</tbody></table>`}</${Listed}>
		${shown && html`<${Letter} name=${name} of=${shown} close=${() => show(null)} />`}
		${asking && html`<${Ask} title=${asking.all ? `Purge all ${state} events?` : 'Purge this event?'} typed=${asking.all ? name : undefined} word="Purge" close=${() => ask(null)} does=${async () => { await change('purge', asking); ask(null); }}><p>It never reaches the app. This can’t be taken back.</p></${Ask}>`}</section>`;
}

function Letter({ name, of: d, close }) {
	const whole = useLoad((signal) => inside('GET', 'show' + query({ name, event: d.job }), undefined, { signal }).catch((error) => { if (error.status === 404) return null; throw error; }), [d.job]);
	return html`<${Dialog} title="An event of the queue" close=${close}><dl class="facts"><dt>Event</dt><dd><${Name} of=${d.event ?? '–'} /></dd><dt>ID</dt><dd><code><${Foreign} text=${d.id ?? '–'} /></code></dd>
		<dt>Received</dt><dd><${Time} at=${d.received} /></dd><dt>${d.failed ? 'Failed' : 'Due'}</dt><dd><${Time} at=${d.failed ?? d.due} /></dd><dt>Attempts</dt><dd>${d.attempts}</dd><dt>Last error</dt><dd><${Said} error=${d.error ?? '–'} /></dd><dt>Size</dt><dd>${count(d.size)} bytes</dd></dl>
		<${Loaded} from=${whole}>${(w) => (w === null ? html`<p class="muted">This server doesn’t show payloads of a queue.</p>` : html`
			${w.headers && html`<details><summary>Headers</summary><${Code} label="Headers" text=${Object.entries(w.headers).map(([n, v]) => `${n}: ${[v].flat().join(', ')}`).join('\n')} /></details>`}
			<${Code} label="Payload" text=${w.payload ?? w.payloadBase64 ?? ''} />`)}</${Loaded}></${Dialog}>`;
}

function Forget({ name, close }) {
	const [event, type] = useState('');
	const [done, tell] = useState(null);
	return html`<${Dialog} title="Forget an event" close=${close}><div class="form"><p class="muted">The receiver then takes it again, as a replay through your own gateway needs.</p>
		<${Field} label="Event ID" value=${event} onValue=${type} />
		<p role="status">${done !== null && (done ? 'Forgotten: it is taken again when it comes.' : 'The receiver does not know this event.')}</p>
		<div class="row"><${Act} class="main" disabled=${!event.trim()} does=${async () => tell((await inside('POST', 'forget', { name, event: event.trim() })).count)}>Forget it</${Act}></div></div></${Dialog}>`;
}
