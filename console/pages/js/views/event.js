// One event: its payload and its deliveries.
import { html, Ask, Choice, Code, Copy, Empty, Foreign, Head, Listed, Loaded, Name, Time, go } from '../parts.js';
import { useState } from '../../vendor/htm-preact.js';
import { ask, get, may, offers, route } from '../api.js';
import { allWebhooks, useLoad, useSheets } from '../load.js';
import { Deliveries } from '../lists.js';
import { indented, member } from '../text.js';
import { envelope } from '../curl.js';

export default function Event({ id }) {
	const event = useLoad(async (signal) => {
		const { data, text } = await get(route`events/${id}`, { signal, raw: true });
		return { ...data, text: member(text, 'data', 'data') };
	}, [id], 5000);
	const webhooks = useLoad(async (signal) => new Map((await allWebhooks(signal)).map((w) => [w.id, w])), []);
	const deliveries = useSheets(event.data?.deliveries ?? [], [id]);
	const [form, pick] = useState('formatted');
	const [asking, show] = useState(false);
	return html`<${Loaded} from=${event} title="Event" back=${['#/events', 'Events']}>${(e) => html`
		<${Head} title=${html`<${Name} of=${e.event} />`} back=${['#/events', 'Events']}>${may.delete() && offers('DELETE /events/{id}') && html`<button class="danger" onClick=${() => show(true)}>Delete</button>`}</${Head}>
		<div class="stack wide-gap">
			<section class="card"><dl class="facts"><dt>ID</dt><dd><code><${Foreign} text=${e.id} /></code> <${Copy} text=${e.id} /></dd><dt>Happened</dt><dd><${Time} at=${e.timestamp} /></dd>${e.createdAt && html`<dt>Published</dt><dd><${Time} at=${e.createdAt} /></dd>`}</dl></section>
			<section class="stack"><div class="row between"><h2>Payload</h2>${e.text !== undefined && html`<${Choice} label="How the payload is shown" value=${form} onValue=${pick} options=${[['formatted', 'Formatted'], ['sent', 'As sent']]} />`}</div>
				${e.text === undefined ? html`<p class="note">The payload has expired; it can’t be sent again.</p>` : html`<${Code} label="Payload" text=${form === 'sent' ? envelope(e, e.text) : indented(e.text)} />`}</section>
			<section class="stack"><h2>Deliveries</h2><${Listed} from=${deliveries} empty=${html`<${Empty} title="It went to nobody"><p class="muted">No webhook of the account subscribed to this type when it was published.</p></${Empty}>`}>
				${(items) => html`<${Deliveries} items=${items} webhooks=${webhooks.data} />`}</${Listed}></section>
		</div>
		${asking && html`<${Ask} title="Delete this event?" typed=${e.id} word="Delete the event" close=${() => show(false)} does=${async () => { await ask('DELETE', route`events/${id}`); go('#/events'); }}>
			<p>Its payload and what was answered to it are gone at once; deliveries that wait are cancelled. This can’t be taken back.</p></${Ask}>`}`}</${Loaded}>`;
}
