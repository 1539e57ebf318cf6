// One webhook: what is set, what it does, its deliveries.
import { html, Act, Ask, Dialog, Empty, Field, Foreign, Head, Listed, Loaded, Status, Tags, Time, Copy, count, go, link, useFilters, wrongs } from '../parts.js';
import { useState } from '../../vendor/htm-preact.js';
import { ask, get, may, offers, query as search, route, takes } from '../api.js';
import { useAct, useLoad, usePages } from '../load.js';
import { Deliveries, states } from '../lists.js';
import { Replay } from '../replay.js';
import { Attempts } from '../plot.js';
import { Edit } from './register.js';
import { eventTypes } from '../catalogue.js';

export default function Webhook({ id }) {
	const webhook = useLoad((signal) => get(route`webhooks/${id}`, { signal }), [id], 10000);
	const [open, show] = useState('');
	const { by: { state }, change: filter } = useFilters({ state: '' }, { state: states });
	const [told, tell] = useState(null);
	const [sample, choose] = useState('');
	const types = useLoad(() => eventTypes(), []);
	const deliveries = usePages((cursor) => get(route`webhooks/${id}/deliveries` + search({ limit: 50, state, cursor })), [id, state]);
	const close = () => show('');
	const change = async (fields) => { webhook.set(await ask('PUT', route`webhooks/${id}`, fields)); };
	return html`<${Loaded} from=${webhook} title="Webhook" back=${['#/webhooks', 'Webhooks']}>${(w) => html`
		<${Head} title=${w.url} foreign=${true} status=${w.status} back=${['#/webhooks', 'Webhooks']}>${may.manage() && html`
			<${Act} class="main" does=${async () => { const e = await ask('POST', route`webhooks/${id}/test`, sample ? { event: sample } : undefined); tell(e); deliveries.reload(); }}>Send a test event</${Act}>
			${w.status === 'active' ? html`<${Act} does=${() => change({ status: 'paused' })}>Pause</${Act}>` : html`<${Act} does=${() => change({ status: 'active' })}>${w.status === 'paused' ? 'Resume' : 'Set active'}</${Act}>`}
			<button onClick=${() => show('edit')}>Edit</button>
			<button onClick=${() => show('rotate')}>Rotate secret</button>
			<button onClick=${() => show('replay')}>Replay</button>
			<button class="danger" onClick=${() => show('delete')}>Delete</button>`}</${Head}>
		<div class="stack wide-gap">
			${w.status === 'failed' && html`<p class="note bad">A delivery used up all its attempts. New events still go here; one that succeeds sets the webhook active again. What failed can be replayed.</p>`}
			${w.status === 'paused' && html`<p class="note warn">Paused: new events wait, and go out when it is resumed.</p>`}
			${w.status === 'disabled' && html`<p class="note bad">Disabled: new deliveries end as failed at once. Set it active to go on.</p>`}
			${w.heldUntil && html`<p class="note warn">Its endpoint asked for a pause: no attempt starts before <${Time} at=${w.heldUntil} />.</p>`}
			${told && html`<p class="note good" role="status">The test event was taken. <a href=${link('deliveries', told.deliveries?.[0]?.id ?? '')}>Follow its delivery</a></p>`}
			<div class="pair"><section class="card stack"><h2>What is set</h2><${Facts} w=${w} /></section>
				<section class="card stack"><h2>Attempts</h2>${offers('GET /webhooks/{id}/stats') ? html`<${Attempts} path=${route`webhooks/${id}/stats`} />` : html`<p class="muted">This server doesn’t offer figures over time.</p>`}</section></div>
			<section class="stack"><div class="row between"><h2>Deliveries</h2><div class="row">${may.manage() && takes('POST /webhooks/{id}/test', 'event') && html`<${Field} label="Test with" as="select" options=${[['', 'webhook.test'], ...(types.data ?? []).map((t) => [t.name, t.name])]} value=${sample} onValue=${choose} />`}<${Field} label="State" as="select" options=${states} value=${state} onValue=${filter('state')} /></div></div>
				<${Listed} from=${deliveries} empty=${html`<${Empty} title=${state ? 'No delivery in this state' : 'No delivery yet'}><p class="muted">${state ? 'Choose another one.' : 'Send a test event to see one.'}</p></${Empty}>`}>${(items) => html`<${Deliveries} items=${items} hideWebhook=${true} />`}</${Listed}></section>
		</div>
		${open === 'edit' && html`<${Edit} webhook=${w} close=${close} saved=${(next) => { webhook.set(next); close(); }} />`}
		${open === 'rotate' && html`<${Rotate} webhook=${w} saved=${webhook.set} close=${close} />`}
		${open === 'replay' && html`<${Replay} webhook=${w} close=${() => { close(); deliveries.reload(); }} />`}
		${open === 'delete' && html`<${Ask} title="Delete this webhook?" typed=${w.id} word="Delete the webhook" close=${close} does=${async () => { await ask('DELETE', route`webhooks/${id}`); go('#/webhooks'); }}>
			<p>Its waiting deliveries are cancelled. This can’t be taken back.</p></${Ask}>`}`}</${Loaded}>`;
}

const Fact = ({ name, children }) => html`<dt>${name}</dt><dd>${children}</dd>`;

function Facts({ w }) {
	const types = useLoad(() => eventTypes(), []);
	return html`<dl class="facts">
		<${Fact} name="ID"><code>${w.id}</code> <${Copy} text=${w.id} /></${Fact}>
		<${Fact} name="Events"><${Tags} of=${w.events} />${w.events.includes('*') && types.data && html` <span class="small muted">all ${types.data.length}</span>`}</${Fact}>
		${w.description && html`<${Fact} name="Description"><${Foreign} text=${w.description} /></${Fact}>`}
		${w.filter && html`<${Fact} name="Filter"><${Foreign} mono=${true} text=${w.filter} />${w.filterErrors > 0 && html`<p class="small wrong">It failed on ${count(w.filterErrors)} ${w.filterErrors === 1 ? 'event' : 'events'}, which went here all the same. Try it out with one of them under Edit.</p>`}</${Fact}>`}
		${w.headers?.length > 0 && html`<${Fact} name="Headers"><${Tags} of=${w.headers} /> <span class="small muted">values are never shown</span></${Fact}>`}
		${w.auth && html`<${Fact} name="Authentication"><${Foreign} text=${w.auth.type} />${w.auth.username && html`, user <${Foreign} text=${w.auth.username} />`}${w.auth.tokenUrl && html`, <${Foreign} text=${w.auth.tokenUrl} />`}</${Fact}>`}
		${w.signing && html`<${Fact} name="Signing"><${Foreign} text=${w.signing} /></${Fact}>`}
		${w.publicKey && html`<${Fact} name="Public key"><code><${Foreign} text=${w.publicKey} /></code> <${Copy} text=${w.publicKey} /></${Fact}>`}
		${w.ordered && html`<${Fact} name="Order">one at a time, in the order of publishing</${Fact}>`}
		${w.retry && html`<${Fact} name="Retry after"><${Tags} of=${w.retry} /></${Fact}>`}
		${w.timeout && html`<${Fact} name="Timeout">${w.timeout}</${Fact}>`}
		${w.rateLimit > 0 && html`<${Fact} name="Rate">${w.rateLimit} a second at most</${Fact}>`}
		${w.maxInFlight > 0 && html`<${Fact} name="In flight">${w.maxInFlight} at most</${Fact}>`}
		${w.metadata && Object.keys(w.metadata).length > 0 && html`<${Fact} name="Metadata">${Object.entries(w.metadata).map(([k, v]) => html`<div><${Foreign} text=${k} />: <${Foreign} text=${v} /></div>`)}</${Fact}>`}
		<${Fact} name="Registered"><${Time} at=${w.createdAt} /></${Fact}>
		<${Fact} name="Last delivery">${w.lastDelivery ? html`<${Status} of=${w.lastDelivery.success ? 'succeeded' : 'failed'} /> <${Time} at=${w.lastDelivery.timestamp} />` : 'none yet'}</${Fact}>
	</dl>`;
}

// Rotate sets a new secret, made here or given, which is shown this once; or has another key pair made.
function Rotate({ webhook: { id, signing }, saved, close }) {
	const [what, choose] = useState('secret');
	const [pair, tell] = useState('');
	const [overlap, pick] = useState('24h');
	const [own, type] = useState('');
	const [made, show] = useState('');
	const act = useAct(async () => {
		if (what === 'pair') {
			const changed = await ask('PUT', route`webhooks/${id}`, { rotateKey: true, ...(overlap && { secretOverlap: overlap }) });
			saved(changed);
			return tell(changed.publicKey);
		}
		const secret = own || newSecret();
		await ask('PUT', route`webhooks/${id}`, { secret, ...(overlap && { secretOverlap: overlap }) });
		show(secret);
	});
	const wrong = wrongs(act, 'secret', 'secretOverlap');
	if (pair) {
		return html`<${Dialog} title="The key pair was rotated" close=${close}><p>It signs from the next attempt on. Receivers verify with the new public key.</p>
			<p class="row"><code><${Foreign} text=${pair} /></code><${Copy} text=${pair} /></p><button class="main" onClick=${close}>Done</button></${Dialog}>`;
	}
	if (made) {
		return html`<${Dialog} title="The secret was rotated" close=${close}><p>It signs from the next attempt on. It is shown this once: keep it where the receiver finds it.</p>
			<p class="row"><code><${Foreign} text=${made} /></code><${Copy} text=${made} /></p><button class="main" onClick=${close}>Done</button></${Dialog}>`;
	}
	return html`<${Dialog} title="Rotate the secret" close=${close}><form class="form" onSubmit=${(e) => { e.preventDefault(); act.run(); }}>
		${signing === 'ed25519' && html`<${Field} label="What" as="select" value=${what} onValue=${choose} options=${[['secret', 'The secret'], ['pair', 'The key pair']]} />`}
		${what === 'secret' && html`<${Field} label="New secret" hint="16 to 256 bytes. Left empty, one is made and shown once." value=${own} onValue=${type} wrong=${wrong.of('secret')} type="password" autocomplete="new-password" />`}
		<${Field} label="The old one goes on signing for" as="select" value=${overlap} onValue=${pick} options=${[['', 'not at all'], ['1h', 'an hour'], ['24h', 'a day'], ['168h', 'a week'], ['720h', '30 days']]} wrong=${wrong.of('secretOverlap')}
			hint="As a second value in webhook-signature. The header X-…-Signature has room for one: a receiver that checks it learns the new secret first." />
		${wrong.rest}
		<div class="row"><button class="main" disabled=${act.busy}>Rotate</button></div></form></${Dialog}>`;
}

export function newSecret() {
	const bytes = crypto.getRandomValues(new Uint8Array(24));
	return 'whsec_' + btoa(String.fromCharCode(...bytes));
}

