// Sends many deliveries of a webhook again: a dry run first, then the job with its progress.
import { html, Act, Dialog, Field, Said, Status, count, wrongs } from './parts.js';
import { useRef, useState } from '../vendor/htm-preact.js';
import { ask, get, offers, route } from './api.js';
import { useAct, useLoad } from './load.js';
import { instant } from './when.js';

const spans = [['3600', 'the last hour'], ['86400', 'the last day'], ['259200', 'the last three days'], ['2592000', 'the last 30 days'], ['', 'another time']];

export function Replay({ webhook, close }) {
	const [span, pick] = useState('86400');
	const [state, choose] = useState('failed');
	const [types, type] = useState('');
	const [since, from] = useState('');
	const [until, to] = useState('');
	const [dry, found] = useState(null);
	const [job, started] = useState(null);
	const request = () => ({
		...(span ? { since: new Date(Date.now() - Number(span) * 1000).toISOString().replace(/\.\d+Z/, 'Z') } : { since: instant(since) ?? '', ...(until && { until: instant(until) }) }), state,
		...(types.trim() && { events: types.trim().split(/[\s,]+/) }),
	});
	// What was counted is what is sent: not what was chosen while it was counted.
	const chosen = useRef(0);
	const act = useAct(async () => {
		const [body, mine] = [request(), chosen.current];
		const dry = await ask('POST', route`webhooks/${webhook.id}/replay`, { ...body, dryRun: true });
		if (mine === chosen.current) found({ ...dry, body });
	});
	const wrong = wrongs(act, 'since', 'until', 'state', 'events');
	const reset = (f) => (v) => { f(v); found(null); chosen.current++; };
	if (job) return html`<${Progress} job=${job} close=${close} />`;
	return html`<${Dialog} title="Replay" close=${close}><form class="form" onSubmit=${(e) => { e.preventDefault(); act.run(); }}>
		<p class="muted">Deliveries of this webhook are sent again, at most 100 a second.</p>
		<${Field} label="Made in" as="select" options=${spans} value=${span} onValue=${reset(pick)} wrong=${span ? wrong.of('since') : undefined} />
		${!span && html`<${Field} label="From" type="datetime-local" value=${since} onValue=${reset(from)} wrong=${wrong.of('since')} /><${Field} label="Until" type="datetime-local" hint="Left empty, now." value=${until} onValue=${reset(to)} wrong=${wrong.of('until')} />`}
		<${Field} label="Which" as="select" options=${[['failed', 'those that failed'], ['all', 'all']]} value=${state} onValue=${reset(choose)} wrong=${wrong.of('state')} />
		<${Field} label="Event types" hint="Separated by spaces, groups such as video.* too. Left empty, all." wrong=${wrong.of('events')} value=${types} onValue=${reset(type)} />
		${wrong.rest}
		${dry && html`<div class="note" role="status"><b>${count(dry.matched)}</b> match.${dry.unavailable > 0 && ` The payload of ${count(dry.unavailable)} has expired: they can’t be sent.`}</div>`}
		<div class="row"><button class=${dry ? '' : 'main'} disabled=${act.busy}>${dry ? 'Count again' : 'Count first'}</button>
			${dry && dry.matched - dry.unavailable > 0 && html`<${Act} class="main" does=${async () => started(await ask('POST', route`webhooks/${webhook.id}/replay`, dry.body))}>Send ${count(dry.matched - dry.unavailable)} again</${Act}>`}</div>
	</form></${Dialog}>`;
}

// reasons are why some were not queued when their turn came.
const reasons = { disabled: 'were not sent: the webhook was disabled', unavailable: 'were not sent: their payload had expired', underWay: 'were not sent: they were being attempted' };

export function Progress({ job, close }) {
	const now = useLoad((signal) => get(route`replays/${job.id}`, { signal }), [job.id], 700);
	const j = now.data ?? job;
	const whole = Math.max(1, j.matched - j.unavailable);
	return html`<${Dialog} title="Replay" close=${close}>
		<div class="row"><${Status} of=${j.state} /><span role="status">${count(j.sent ?? 0)} of ${count(whole)} queued again</span></div>
		<progress max=${whole} value=${j.state === 'done' ? whole : j.sent ?? 0} aria-label="Progress of the replay"></progress>
		${j.unavailable > 0 && html`<p class="small muted">${count(j.unavailable)} can’t be sent: their payload has expired.</p>`}
		${Object.entries(j.notSent ?? {}).map(([why, n]) => html`<p class="small muted">${count(n)} ${reasons[why] ?? why}.</p>`)}
		${now.error && html`<p class="wrong" role="alert"><${Said} error=${now.error} /></p>`}
		<div class="row"><button class="main" onClick=${close}>${j.state === 'running' ? 'Go on in the background' : 'Done'}</button>
			${j.state === 'running' && offers('DELETE /replays/{id}') && html`<${Act} class="danger" does=${async () => { await ask('DELETE', route`replays/${job.id}`); now.reload(); }}>Cancel the rest</${Act}>`}</div>
	</${Dialog}>`;
}
