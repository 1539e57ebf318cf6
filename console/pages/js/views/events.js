// Events of the account, newest first.
import { html, Empty, Field, Foreign, Head, Listed, NotOffered, Name, Time, count, go, link, useFilters } from '../parts.js';
import { useState } from '../../vendor/htm-preact.js';
import { get, may, offers, query as search } from '../api.js';
import { useLoad, usePages } from '../load.js';
import { eventTypes } from '../catalogue.js';
import { instant, local } from '../when.js';

const shown = [['succeeded', 'good'], ['failed', 'bad'], ['retrying', 'warn'], ['pending', ''], ['cancelled', '']];

export default function Events() {
	const listed = offers('GET /events');
	const { by, change, clear, any } = useFilters({ event: '', since: '', until: '' });
	const [id, type] = useState('');
	const types = useLoad(() => eventTypes(), []);
	const found = usePages((cursor) => (listed ? get('events' + search({ limit: 50, cursor, event: by.event, since: instant(by.since), until: instant(by.until) })) : { items: [] }), [JSON.stringify(by)]);
	return html`<${Head} title="Events"><button onClick=${found.reload}>Refresh</button>${may.publish() && html`<a class="button main" href="#/publish">Publish a sample</a>`}</${Head}>
	<div class="filters">
		<form onSubmit=${(e) => { e.preventDefault(); if (id.trim()) go(link('events', id.trim())); }}><${Field} label="Go to an event by ID" placeholder="evt_… and Enter" value=${id} onValue=${type} /></form>
		${listed && html`<${Field} label="Event type" as="select" value=${by.event} onValue=${change('event')} options=${[['', 'Any type'], ...(types.data ?? []).map((t) => [t.name, t.name])]} />
		<${Field} label="From" type="datetime-local" value=${local(by.since)} onValue=${(v) => change('since')(instant(v) ?? '')} />
		<${Field} label="Until" type="datetime-local" value=${local(by.until)} onValue=${(v) => change('until')(instant(v) ?? '')} />`}
	</div>
	${!listed ? html`<${NotOffered} what="a list of events" why="One can be looked at by its ID, above." />`
		: html`<${Listed} from=${found} empty=${html`<${Empty} title=${any ? 'No event matches' : 'No event yet'}>
			${any ? html`<button onClick=${clear}>Show all</button>` : html`<p class="muted">Events show up here once they are published.</p>${may.publish() && html`<a class="button main" href="#/publish">Publish a sample</a>`}`}</${Empty}>`}>
		${(items) => html`<table><thead><tr><th>Event</th><th>Deliveries</th><th class="extra">ID</th><th class="fit">Published</th></tr></thead>
			<tbody>${items.map((e) => html`<tr key=${e.id}><td><a href=${link('events', e.id)}><${Name} of=${e.event} /></a></td>
				<td>${shown.filter(([s]) => e.deliveries?.[s]).map(([s, kind]) => html`<span class=${'status ' + kind}>${count(e.deliveries[s])} ${s}</span> `)}${!shown.some(([s]) => e.deliveries?.[s]) && html`<span class="muted">to nobody</span>`}</td>
				<td class="extra mono small"><${Foreign} text=${e.id} /></td><td class="fit"><${Time} at=${e.createdAt ?? e.timestamp} /></td></tr>`)}</tbody></table>`}</${Listed}>`}`;
}
