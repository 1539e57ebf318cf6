// One delivery: its attempts on a time line, and the request as it was sent.
import { html, Act, Code, Copy, Foreign, Head, Loaded, Name, Said, Status, Time, WebhookLink, link, milliseconds } from '../parts.js';
import { ask, get, may, portal, route, session } from '../api.js';
import { useLoad } from '../load.js';
import { member } from '../text.js';
import { curl } from '../curl.js';

const reasons = {
	backlog: 'Too many deliveries waited for this webhook, so it was not taken up.', disabled: 'The webhook was disabled.', expired: 'It waited for longer than deliveries may.',
	gone: 'The endpoint answered 410 Gone.', poison: 'The process that sent it died three times in a row.',
};

export default function Delivery({ id }) {
	const delivery = useLoad((signal) => get(route`deliveries/${id}`, { signal }), [id], 3000);
	const sent = useLoad((signal) => delivery.data && whatWasSent(delivery.data, signal), [delivery.data?.id]);
	return html`<${Loaded} from=${delivery} title="Delivery" back=${['#/deliveries', 'Deliveries']}>${(d) => html`
		<${Head} title=${html`<${Name} of=${d.event} />`} status=${d.state} back=${['#/deliveries', 'Deliveries']}>
			${may.manage() && html`<${Act} class="main" does=${async () => delivery.set(await ask('POST', route`deliveries/${id}/retry`))}>Retry now</${Act}>`}</${Head}>
		<div class="stack wide-gap"><div class="pair">
			<section class="card stack"><h2>Attempts</h2>
				${!d.attempts?.length && html`<p class="muted">${d.reason ? reasons[d.reason] ?? html`<${Foreign} text=${d.reason} />` : 'None yet.'}</p>`}
				<ol class="line">${(d.attempts ?? []).map((a) => html`<li key=${a.number + a.at} class=${a.statusCode >= 200 && a.statusCode < 300 && !a.error ? 'good' : 'bad'}>
					<div class="row between"><b>Attempt ${a.number}: ${a.statusCode ? `answered ${a.statusCode}` : 'no answer'}</b><span class="small muted">${milliseconds(a.durationMs)}</span></div>
					<div class="small muted"><${Time} at=${a.at} /></div>
					${a.error && a.error !== `answered ${a.statusCode}` && html`<p class="small wrong"><${Said} error=${a.error} /></p>`}
					${a.responseBody && html`<details><summary class="small">What was answered</summary><pre tabindex="0" aria-label="The answer"><${Foreign} text=${a.responseBody} lines=${true} /></pre></details>`}</li>`)}
				${d.nextAttemptAt && html`<li><b>Next attempt</b><div class="small muted"><${Time} at=${d.nextAttemptAt} /></div></li>`}</ol></section>
			<section class="card stack"><h2>What it is</h2><dl class="facts">
				<dt>State</dt><dd><${Status} of=${d.state} />${d.reason && html` <span class="small">${reasons[d.reason] ?? d.reason}</span>`}</dd>
				<dt>Delivery</dt><dd><code>${d.id}</code> <${Copy} text=${d.id} /></dd>
				<dt>Event</dt><dd>${!portal ? html`<a href=${link('events', d.eventId)}><code><${Foreign} text=${d.eventId} /></code></a>` : html`<code><${Foreign} text=${d.eventId} /></code>`}</dd>
				<dt>Webhook</dt><dd><${WebhookLink} id=${d.webhookId} url=${sent.data?.webhook?.url} /> <code class="small muted">${d.webhookId}</code></dd>
				<dt>Made</dt><dd><${Time} at=${d.createdAt} /></dd></dl></section></div>
			<${Request} delivery=${d} sent=${sent} /></div>`}</${Loaded}>`;
}

// whatWasSent is the event of a delivery, with its data as it was published, and the webhook, which may be deleted since.
async function whatWasSent(delivery, signal) {
	const [event, webhook] = await Promise.all([
		get(route`events/${delivery.eventId}`, { signal, raw: true }),
		get(route`webhooks/${delivery.webhookId}`, { signal }).catch((error) => { if (error.status === 404) return null; throw error; }),
	]);
	return { event: event.data, data: member(event.text, 'data', 'data'), webhook };
}

function Request({ delivery: d, sent }) {
	return html`<section class="card stack"><h2>The request, as a command</h2><${Loaded} from=${sent} lines=${3}>${({ event, data, webhook }) => {
		if (!webhook) return html`<p class="muted">Its webhook was deleted.</p>`;
		if (data === undefined) return html`<p class="muted">The payload has expired.</p>`;
		return html`<p class="small muted">Values of secrets are left out: signatures and custom headers stand as …</p><${Code} label="curl command" text=${curl(d, event, data, webhook, session.config.brand)} />`;
	}}</${Loaded}></section>`;
}
