// Tables that several views show.
import { html, Name, Said, Status, Time, WebhookLink, link } from './parts.js';

export function Deliveries({ items, webhooks, hideWebhook }) {
	return html`<table><thead><tr><th class="fit">State</th><th>Event</th>${!hideWebhook && html`<th class="some">Webhook</th>`}<th class="extra">Last answer</th><th class="fit extra number">Attempts</th><th class="fit">When</th></tr></thead>
		<tbody>${items.map((d) => {
			const last = d.attempts?.at(-1);
			return html`<tr key=${d.id}><td class="fit"><${Status} of=${d.state} /></td>
				<td><a href=${link('deliveries', d.id)}><${Name} of=${d.event} /></a><div class="small muted mono some clip" title=${d.id}>${d.id}</div></td>
				${!hideWebhook && html`<td class="some"><${WebhookLink} id=${d.webhookId} url=${webhooks?.get(d.webhookId)?.url} /></td>`}
				<td class="extra">${last ? (last.statusCode ?? html`<${Said} error=${last.error ?? '–'} />`) : html`<span class="muted">${d.reason ?? 'none yet'}</span>`}${last && d.nextAttemptAt && html`<div class="small muted">next <${Time} at=${d.nextAttemptAt} /></div>`}</td>
				<td class="fit extra number">${d.attempts?.length ?? 0}</td>
				<td class="fit"><${Time} at=${d.createdAt} /></td></tr>`;
		})}</tbody></table>`;
}

export const states = [['', 'Any state'], ['pending', 'Pending'], ['retrying', 'Retrying'], ['succeeded', 'Succeeded'], ['failed', 'Failed'], ['cancelled', 'Cancelled']];
