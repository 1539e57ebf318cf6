// Publishes a sample event, and shows where it goes.
import { html, Field, Foreign, Head, Loaded, NotOffered, Status, link } from '../parts.js';
import { useState } from '../../vendor/htm-preact.js';
import { ask, get, may } from '../api.js';
import { useAct, useLoad } from '../load.js';
import { eventTypes, sampleOf } from '../catalogue.js';
import { count } from '../text.js';

export default function Publish({ query }) {
	const types = useLoad(() => eventTypes(), []);
	const [name, pick] = useState(query.event ?? '');
	const [text, type] = useState(null);
	const [sent, show] = useState(null);
	const chosen = (types.data ?? []).find((t) => t.name === name) ?? types.data?.[0];
	const data = text ?? sampleOf(chosen);
	let problem = '';
	try { JSON.parse(data); } catch { problem = 'This is not JSON yet.'; }
	// The data goes as it was typed: big numbers and the order of keys stay.
	const act = useAct(async () => show(await ask('POST', 'events', `{"event":${JSON.stringify(chosen.name)},"data":${data}}`)));
	if (!may.publish()) return html`<${Head} title="Publish a sample" back=${['#/events', 'Events']} /><${NotOffered} what="publishing with this key" why="It takes a key with role publish or all." />`;
	return html`<${Head} title="Publish a sample" back=${['#/events', 'Events']} />
	<${Loaded} from=${types}>${(items) => html`<div class="pair"><form class="card form" onSubmit=${(e) => { e.preventDefault(); if (!problem) act.run(); }}>
		<${Field} label="Event type" as="select" value=${chosen?.name ?? ''} onValue=${(v) => { pick(v); type(null); }} options=${items.map((t) => [t.name, t.name])} hint=${chosen?.description} />
		<${Field} label="Data" as="textarea" rows="9" value=${data} onValue=${type} wrong=${problem || (act.error?.field?.startsWith('data') && html`<${Foreign} text=${act.error.message} />`) || undefined} hint="A JSON object, delivered as it stands here." />
		${act.error && !act.error.field?.startsWith('data') && html`<p class="wrong" role="alert"><${Foreign} text=${act.error.message} /></p>`}
		<div class="row"><button class="main" disabled=${act.busy || Boolean(problem)}>${act.busy ? 'One moment…' : 'Publish'}</button></div></form>
		<section class="card stack" aria-live="polite"><h2>Where it goes</h2>${sent ? html`<${Sent} key=${sent.id} of=${sent} />` : html`<p class="muted">To every webhook of the account that subscribes to its type.</p>`}</section></div>`}</${Loaded}>`;
}

function Sent({ of }) {
	const event = useLoad((signal) => get(`events/${encodeURIComponent(of.id)}`, { signal }), [of.id], 1000);
	const deliveries = event.data?.deliveries ?? [];
	return html`<p>Taken: <a href=${link('events', of.id)}><code>${of.id}</code></a></p>
		${!of.deliveries.length && html`<p class="note warn">No webhook subscribes to ${of.event}, so it goes to nobody. <a href="#/register">Register one</a></p>`}
		<ul class="stack tight">${deliveries.slice(0, 20).map((d) => html`<li class="row" key=${d.id}><${Status} of=${d.state} /><a href=${link('deliveries', d.id)}><code>${d.id}</code></a></li>`)}
			${deliveries.length > 20 && html`<li><a href=${link('events', of.id)}>and ${count(deliveries.length - 20)} more</a></li>`}</ul>`;
}
