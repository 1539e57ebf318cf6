// What to do first: register, publish a sample, see it arrive.
import { html, Act, Foreign, Name, Status, Time, go, link } from './parts.js';
import { ask, get, may, portal, route } from './api.js';
import { useLoad } from './load.js';

export function FirstSteps({ webhooks }) {
	const webhook = webhooks[0];
	const last = useLoad(async (signal) => (webhook ? (await get(route`webhooks/${webhook.id}/deliveries?limit=1`, { signal })).items[0] ?? null : null), [webhook?.id], 2000);
	const arrived = last.data?.state === 'succeeded';
	return html`<div class="card stack"><div class="stack tight"><h2>${webhook ? 'Send the first event' : 'Nothing is registered yet'}</h2>
		<p class="muted">Three steps, and you have seen it work.</p></div>
		<ol class="steps">
			<li class=${webhook ? 'done' : ''}><div class="stack tight"><h3>Register a webhook</h3>
				${webhook ? html`<p><a href=${link('webhooks', webhook.id)}><${Foreign} text=${webhook.url} /></a></p>`
					: html`<p class="muted">The URL that events go to, and which events.</p>${may.manage() && html`<div><a class="button main" href="#/register">Register a webhook</a></div>`}`}</div></li>
			<li class=${last.data ? 'done' : ''}><div class="stack tight"><h3>${portal ? 'Send a test event' : 'Publish a sample'}</h3>
				<p class="muted">${portal ? 'It goes to this webhook alone.' : 'It goes to every webhook that subscribes to its type.'}</p>
				${webhook && html`<div class="row">${!portal && may.publish() && html`<a class="button main" href="#/publish">Publish a sample</a>`}
					${may.manage() && html`<${Act} does=${async () => { await ask('POST', route`webhooks/${webhook.id}/test`); last.reload(); }}>Send a test event</${Act}>`}</div>`}</div></li>
			<li class=${arrived ? 'done' : ''}><div class="stack tight"><h3>See it arrive</h3>
				${last.data ? html`<p><${Status} of=${last.data.state} /> <a href=${link('deliveries', last.data.id)}><${Name} of=${last.data.event} /></a>, <${Time} at=${last.data.createdAt} /></p>`
					: html`<p class="muted">Its delivery shows up here, with every attempt and what was answered.</p>`}
				${portal && html`<p class="small"><a href="#/event-types">Code that verifies the signature, in your language</a></p>`}
				${arrived && html`<div><button onClick=${() => go(link('webhooks', webhook.id))}>Look at the webhook</button></div>`}</div></li>
		</ol></div>`;
}
