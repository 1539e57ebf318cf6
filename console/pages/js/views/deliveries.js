// Deliveries of the account, by state, type, webhook and time.
import { html, Act, Dialog, Empty, Field, Head, Listed, NotOffered, Foreign, useFilters } from '../parts.js';
import { useMemo, useState } from '../../vendor/htm-preact.js';
import { ask, get, may, offers, query as search, route, takes } from '../api.js';
import { allWebhooks, useLoad, usePages } from '../load.js';
import { Deliveries as Table, states } from '../lists.js';
import { eventTypes } from '../catalogue.js';
import { Progress } from '../replay.js';
import { instant, local } from '../when.js';

export default function Deliveries() {
	const whole = offers('GET /deliveries');
	const { by, change, clear, any } = useFilters({ state: '', webhook: '', event: '', since: '', until: '' }, { state: states });
	const [open, show] = useState(false);
	const webhooks = useLoad((signal) => allWebhooks(signal), []);
	const types = useLoad(() => eventTypes(), []);
	const urls = useMemo(() => new Map((webhooks.data ?? []).map((w) => [w.id, w])), [webhooks.data]);
	const path = by.webhook ? route`webhooks/${by.webhook}/deliveries` : 'deliveries';
	const operation = by.webhook ? 'GET /webhooks/{id}/deliveries' : 'GET /deliveries';
	const ready = whole || by.webhook;
	const at = (name) => (takes(operation, name) ? instant(by[name]) : undefined);
	const found = usePages((cursor) => (ready ? get(path + search({
		limit: 50, cursor, state: by.state, event: takes(operation, 'event') ? by.event : undefined, since: at('since'), until: at('until'),
	})) : { items: [] }), [JSON.stringify(by)]);
	return html`<${Head} title="Deliveries"><button onClick=${found.reload}>Refresh</button>
		${may.manage() && by.webhook && offers('POST /webhooks/{id}/retry') && html`<button onClick=${() => show(true)}>Retry all that failed</button>`}</${Head}>
	<div class="filters">
		<${Field} label="State" as="select" options=${states} value=${by.state} onValue=${change('state')} />
		<${Field} label="Webhook" as="select" value=${by.webhook} onValue=${change('webhook')} options=${[['', whole ? 'Any webhook' : 'Choose a webhook'], ...(webhooks.data ?? []).map((w) => [w.id, w.url])]} />
		${takes(operation, 'event') && html`<${Field} label="Event type" as="select" value=${by.event} onValue=${change('event')} options=${[['', 'Any type'], ...(types.data ?? []).map((t) => [t.name, t.name])]} />`}
		${takes(operation, 'since') && html`<${Field} label="From" type="datetime-local" value=${local(by.since)} onValue=${(v) => change('since')(instant(v) ?? '')} />`}
		${takes(operation, 'until') && html`<${Field} label="Until" type="datetime-local" value=${local(by.until)} onValue=${(v) => change('until')(instant(v) ?? '')} />`}
	</div>
	${!ready ? html`<${NotOffered} what="deliveries of all webhooks together" why="Choose a webhook above." />`
		: html`<${Listed} from=${found} empty=${html`<${Empty} title=${any ? 'No delivery matches' : 'No delivery yet'}>
			${any ? html`<button onClick=${clear}>Show all</button>` : html`<p class="muted">Deliveries show up here as soon as an event is published that a webhook subscribes to.</p>`}</${Empty}>`}>
			${(items) => html`<${Table} items=${items} webhooks=${urls} />`}</${Listed}>`}
	${open && html`<${RetryAll} by=${by} url=${urls.get(by.webhook)?.url} close=${() => { show(false); found.reload(); }} />`}`;
}

function RetryAll({ by, url, close }) {
	const [job, started] = useState(null);
	if (job) return html`<${Progress} job=${job} close=${close} />`;
	const body = { state: 'failed', ...(by.event && { event: by.event }), ...(by.since && { since: instant(by.since) }), ...(by.until && { until: instant(by.until) }) };
	return html`<${Dialog} title="Retry all that failed" close=${close}>
		<p>All failed deliveries of <${Foreign} text=${url} />${by.event && html` of type <${Foreign} text=${by.event} />`}${(by.since || by.until) && ' in the chosen time'} are sent again, at most 100 a second.</p>
		<div class="row"><${Act} class="main" does=${async () => started(await ask('POST', route`webhooks/${by.webhook}/retry`, body))}>Retry them</${Act}><button onClick=${close}>Leave it</button></div></${Dialog}>`;
}
