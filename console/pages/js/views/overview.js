// How things are: attempts over time, what waits, which webhooks fail, and the health of senders and stores.
import { html, Choice, Foreign, Head, Loaded, NotOffered, Said, Skeleton, Status, Time, Wrong, count, link, seconds, useFilters } from '../parts.js';
import { useState } from '../../vendor/htm-preact.js';
import { inside, may, offers } from '../api.js';
import { allWebhooks, useLoad } from '../load.js';
import { Attempts, windows } from '../plot.js';
import { FirstSteps } from '../first.js';

export default function Overview() {
	const { by: { window }, change } = useFilters({ window: '24h' }, { window: windows });
	const [stats, known] = useState(null);
	const webhooks = useLoad((signal) => allWebhooks(signal), [], 15000);
	const process = useLoad(async (signal) => (may.operate() ? inside('GET', 'stats', undefined, { signal }) : null), [], 10000);
	const failing = (webhooks.data ?? []).filter((w) => w.status === 'failed' || w.status === 'disabled');
	const fresh = webhooks.data && (!webhooks.data.length || webhooks.data.every((w) => !w.lastDelivery)) && !stats?.totals?.succeeded && !stats?.totals?.failed;
	const queue = process.data?.queues?.find((q) => q.queue === 'sender');
	const waiting = stats?.waiting ?? (queue && Object.values(queue.depth).reduce((a, b) => a + b, 0));
	return html`<${Head} title="Overview">${offers('GET /stats') && html`<${Choice} label="Time span" value=${window} onValue=${change('window')} options=${windows} />`}</${Head}>
	<div class="stack wide-gap">
		${webhooks.error && !webhooks.data && html`<${Wrong} error=${webhooks.error} again=${webhooks.reload} />`}
		${webhooks.data === undefined && !webhooks.error && html`<div class="card"><${Skeleton} lines=${3} /></div>`}
		${fresh && html`<${FirstSteps} webhooks=${webhooks.data} />`}
		<div class="cards">
			<${Figure} name="Webhooks" value=${webhooks.data && count(webhooks.data.length)} />
			<${Figure} name="Failing" value=${webhooks.data && count(failing.length)} bad=${failing.length > 0} />
			<${Figure} name="Waiting" value=${count(waiting)} />
			<${Figure} name="Oldest due" value=${seconds(stats?.oldestDueSeconds ?? queue?.oldestDueSeconds)} />
		</div>
		<section class="card stack"><h2>Attempts</h2>${offers('GET /stats') ? html`<${Attempts} path="stats" window=${window} onData=${known} times=${true} />` : html`<${NotOffered} what="figures over time" />`}</section>
		<div class="pair"><section class="card stack"><h2>Webhooks that fail</h2>
			${webhooks.error && !webhooks.data ? html`<p class="muted">They could not be loaded.</p>` : !webhooks.data ? html`<${Skeleton} lines=${2} />` : !failing.length ? html`<p class="muted">None.</p>` : html`<ul class="stack tight">${failing.slice(0, 20).map((w) => html`<li class="row between"><a href=${link('webhooks', w.id)}><${Foreign} text=${w.url} /></a>
				<span class="row"><${Status} of=${w.status} />${w.lastDelivery && html`<span class="small muted">last tried <${Time} at=${w.lastDelivery.timestamp} /></span>`}</span></li>`)}
				${failing.length > 20 && html`<li><a href="#/webhooks?status=failed">and ${failing.length - 20} more</a></li>`}</ul>`}</section>
		<section class="card stack"><h2>Senders and stores</h2>${!may.operate() ? html`<p class="muted">A key for all accounts with role all or read shows them.</p>` : html`<${Loaded} from=${process}>${(p) => html`<${Health} of=${p} />`}</${Loaded}>`}</section></div>
	</div>`;
}

const Figure = ({ name, value, bad }) => html`<div class="card figure"><span class="small muted">${name}</span><b class=${bad ? 'wrong' : ''}>${value ?? '–'}</b></div>`;

function Health({ of }) {
	const h = of.health;
	return html`<div class="row"><${Status} of=${h.status} /></div>
		${(h.problems ?? []).map((p) => html`<p class="note bad"><${Said} error=${p} /></p>`)}
		<dl class="facts"><dt>This process</dt><dd>${{ delivering: 'delivers', api_only: 'serves the API, others deliver', off: 'neither API nor sender' }[h.sender] ?? h.sender}${h.workers && html`, ${count(h.workers.inFlight)} in flight`}</dd>
			${h.senders !== undefined && html`<dt>Senders</dt><dd>${count(h.senders)} processes deliver</dd>`}
			<dt>Store</dt><dd>${h.store.kind === 'memory' ? 'in memory, lost at exit' : h.store.kind}, ${h.store.ready ? 'ready' : 'not ready'}</dd>
			<dt>Version</dt><dd>${h.version}</dd></dl>`;
}
