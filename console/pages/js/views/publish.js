// Publishes a sample event, and shows where it goes.
import { html, Field, Foreign, Head, Loaded, NotOffered, Status, count, link, wrongs } from '../parts.js';
import { useRef, useState } from '../../vendor/htm-preact.js';
import { ask, get, may, newKey, route } from '../api.js';
import { useAct, useLoad } from '../load.js';
import { eventTypes, sampleOf } from '../catalogue.js';
import { instant } from '../when.js';

export default function Publish({ query }) {
	const types = useLoad(() => eventTypes(), []);
	const [name, pick] = useState(query.event ?? '');
	const [text, type] = useState(null);
	const [id, call] = useState('');
	const [at, set] = useState('');
	const [sent, show] = useState(null);
	const chosen = (types.data ?? []).find((t) => t.name === name) ?? types.data?.[0];
	const data = text ?? sampleOf(chosen);
	let problem = '';
	try { JSON.parse(data); } catch { problem = 'This is not JSON yet.'; }
	// A submission has one ID: sent again after an answer that was lost, it is the same event. What was taken, or is changed, gets another.
	const submission = useRef({});
	const act = useAct(async () => {
		const fields = [['event', chosen.name], ['timestamp', instant(at)]].filter(([, v]) => v).map(([k, v]) => `${JSON.stringify(k)}:${JSON.stringify(v)}`);
		const event = [...fields, `"data":${data}`].join(); // the data goes as it was typed: big numbers and the order of keys stay
		if (submission.current.event !== event) submission.current = { event, id: `evt_${newKey()}` };
		const taken = await ask('POST', 'events', `{"id":${JSON.stringify(id.trim() || submission.current.id)},${event}}`);
		submission.current = {};
		show(taken);
	});
	const wrong = wrongs(act, 'event', 'data', 'id', 'timestamp');
	if (!may.publish()) return html`<${Head} title="Publish a sample" back=${['#/events', 'Events']} /><${NotOffered} what="publishing with this key" why="It takes a key with role publish or all." />`;
	return html`<${Head} title="Publish a sample" back=${['#/events', 'Events']} />
	<${Loaded} from=${types}>${(items) => html`<div class="pair"><form class="card form" onSubmit=${(e) => { e.preventDefault(); if (!problem) act.run(); }}>
		<${Field} label="Event type" as="select" value=${chosen?.name ?? ''} onValue=${(v) => { pick(v); type(null); }} options=${items.map((t) => [t.name, t.name])} hint=${chosen?.description && html`<${Foreign} text=${chosen.description} />`} wrong=${wrong.of('event')} />
		<${Field} label="Data" as="textarea" rows="9" value=${data} onValue=${type} wrong=${problem || wrong.of('data')} hint="A JSON object, delivered as it stands here." />
		<details open=${['id', 'timestamp'].includes(wrong.at) || undefined}><summary>ID and time</summary><div class="form">
			<${Field} label="ID" placeholder="evt_…" value=${id} onValue=${call} wrong=${wrong.of('id')} hint="By which publishing it again is recognised: letters, digits, _ and -, 128 at most. Left empty, one is made." />
			<${Field} label="Happened" type="datetime-local" value=${at} onValue=${set} wrong=${wrong.of('timestamp')} hint="Left empty, now." /></div></details>
		${wrong.rest}
		<div class="row"><button class="main" disabled=${act.busy || Boolean(problem)}>${act.busy ? 'One moment…' : 'Publish'}</button></div></form>
		<section class="card stack" aria-live="polite"><h2>Where it goes</h2>${sent ? html`<${Sent} key=${sent.id} of=${sent} />` : html`<p class="muted">To every webhook of the account that subscribes to its type.</p>`}</section></div>`}</${Loaded}>`;
}

function Sent({ of }) {
	const event = useLoad((signal) => get(route`events/${of.id}`, { signal }), [of.id], 1000);
	const deliveries = event.data?.deliveries ?? [];
	return html`<p>Taken: <a href=${link('events', of.id)}><code>${of.id}</code></a></p>
		${!of.deliveries.length && html`<p class="note warn">No webhook subscribes to ${of.event}, so it goes to nobody. <a href="#/register">Register one</a></p>`}
		<ul class="stack tight">${deliveries.slice(0, 20).map((d) => html`<li class="row" key=${d.id}><${Status} of=${d.state} /><a href=${link('deliveries', d.id)}><code>${d.id}</code></a></li>`)}
			${deliveries.length > 20 && html`<li><a href=${link('events', of.id)}>and ${count(deliveries.length - 20)} more</a></li>`}</ul>`;
}
