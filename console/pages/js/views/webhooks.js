// All webhooks of the account.
import { html, Empty, Field, Foreign, Head, Listed, Loaded, Status, Tags, Time, WebhookLink, count, useFilters } from '../parts.js';
import { may } from '../api.js';
import { allWebhooks, useLoad, useSheets } from '../load.js';
import { Spark } from '../spark.js';
import { FirstSteps } from '../first.js';

const states = [['', 'Any status'], ['active', 'Active'], ['failed', 'Failed'], ['paused', 'Paused'], ['disabled', 'Disabled']];

export default function Webhooks() {
	const all = useLoad(allWebhooks, [], 30000);
	const { by: { search, status }, change, clear } = useFilters({ search: '', status: '' }, { status: states });
	const words = search.toLowerCase();
	const found = (all.data ?? []).filter((w) => (!status || w.status === status) && [w.id, w.url, w.description ?? '', ...w.events].some((s) => s.toLowerCase().includes(words)));
	const sheet = useSheets(found, [search, status]);
	return html`<${Head} title="Webhooks">${may.manage() && all.data?.length !== 0 && html`<a class="button main" href="#/register">Register a webhook</a>`}</${Head}>
	<${Loaded} from=${all}>${(items) => (!items.length ? html`<${FirstSteps} webhooks=${items} />` : html`<div class="filters"><${Field} label="Search" type="search" placeholder="URL, event, description" value=${search} onValue=${change('search')} />
			<${Field} label="Status" as="select" options=${states} value=${status} onValue=${change('status')} /></div>
		<${Listed} from=${{ ...sheet, note: all.partial && ', loading the rest…' }} empty=${html`<${Empty} title="No webhook matches"><button onClick=${clear}>Show all ${count(items.length)}</button></${Empty}>`}>${(some) => html`<table>
			<thead><tr><th class="fit">Status</th><th>URL</th><th class="extra">Events</th><th class="fit extra">A day</th><th class="fit some">Last delivery</th></tr></thead>
			<tbody>${some.map((w) => html`<tr key=${w.id}><td class="fit"><${Status} of=${w.status} /></td>
				<td class="lead"><${WebhookLink} id=${w.id} url=${w.url} />${w.description && html`<div class="small muted"><${Foreign} text=${w.description} /></div>`}</td>
				<td class="extra"><${Tags} of=${w.events.length > 4 ? [...w.events.slice(0, 3), `${w.events.length - 3} more`] : w.events} /></td>
				<td class="fit extra"><${Spark} id=${w.id} /></td>
				<td class="fit some">${w.lastDelivery ? html`<${Status} of=${w.lastDelivery.success ? 'succeeded' : 'failed'} /> <span class="small"><${Time} at=${w.lastDelivery.timestamp} /></span>` : html`<span class="muted">none yet</span>`}</td></tr>`)}</tbody></table>`}</${Listed}>`)}</${Loaded}>`;
}
