// Registers a webhook, and edits one.
import { html, Copy, Dialog, Field, Foreign, Head, Name, Said, go, link, plain, wrongs } from '../parts.js';
import { useEffect, useState } from '../../vendor/htm-preact.js';
import { ask, newKey, Problem, route, takes } from '../api.js';
import { useAct, useLoad } from '../load.js';
import { eventTypes, groups, sampleOf } from '../catalogue.js';

export default function Register() {
	const [made, show] = useState(null);
	const [again] = useState(newKey);
	if (made) {
		return html`<${Head} title="The webhook is registered" back=${['#/webhooks', 'Webhooks']} />
			<div class="card stack"><p><${Foreign} text=${made.url} /> gets its events from now on.</p>
			${made.secret ? html`<p><b>Its secret is shown this once.</b> The receiver verifies signatures with it.</p><p class="row"><code>${made.secret}</code><${Copy} text=${made.secret} /></p>` : html`<p>Deliveries are signed with the secret that you gave.</p>`}
			<div class="row"><button class="main" onClick=${() => go(link('webhooks', made.id))}>Go on to the webhook</button><a class="button" href="#/event-types">Code that verifies</a></div></div>`;
	}
	return html`<${Head} title="Register a webhook" back=${['#/webhooks', 'Webhooks']} /><div class="card">
		<${Form} operation="POST /webhooks" word="Register" send=${(body) => ask('POST', 'webhooks', body, { idempotencyKey: takes('POST /webhooks', 'Idempotency-Key') ? again : undefined })} done=${show} /></div>`;
}

export const Edit = ({ webhook, close, saved }) => html`<${Dialog} title="Edit the webhook" close=${close}>
	<${Form} of=${webhook} operation="PUT /webhooks/{id}" word="Save" send=${(body) => ask('PUT', route`webhooks/${webhook.id}`, body)} done=${saved} /></${Dialog}>`;

const authFields = {
	basic: [['username', 'User name'], ['password', 'Password', true]],
	bearer: [['token', 'Token', true]],
	mtls: [['certificate', 'Certificate', false, 'And those between it and its root, in PEM.'], ['key', 'Private key', false, 'Unencrypted, in PEM. It is never shown again.']],
	oauth2: [['tokenUrl', 'Token URL'], ['clientId', 'Client ID'], ['clientSecret', 'Client secret', true], ['scope', 'Scope']],
};

// What stands folded away until it is opened, or one of them is refused.
const folded = ['headers', 'auth', 'retry', 'timeout', 'rateLimit', 'maxInFlight', 'metadata', 'ordered', 'signing'];

// Form shows what this server takes. In an edit only what was touched is sent.
function Form({ of, operation, word, send, done }) {
	const [values, set] = useState(() => ({
		url: of?.url ?? '', events: of?.events ?? [], description: of?.description ?? '', secret: '', headers: '', filter: of?.filter ?? '',
		rateLimit: of?.rateLimit ? String(of.rateLimit) : '', maxInFlight: of?.maxInFlight ? String(of.maxInFlight) : '',
		retry: (of?.retry ?? []).join(' '), timeout: of?.timeout ?? '', ordered: Boolean(of?.ordered), auth: of?.auth?.type ?? '', paused: false, bare: false, metadata: Object.entries(of?.metadata ?? {}).map(([k, v]) => `${k}: ${v}`).join('\n'), signing: of?.signing ?? '',
	}));
	const [touched, touch] = useState(() => new Set(of ? [] : ['url', 'events']));
	const [auth, authed] = useState(() => Object.fromEntries(['username', 'tokenUrl', 'clientId', 'scope', 'certificate'].map((name) => [name, of?.auth?.[name]]).filter(([, v]) => v)));
	const has = (field) => takes(operation, field);
	const act = useAct(async () => done(await send(bodyOf(values, touched, auth, of))));
	const wrong = wrongs(act, ...(authFields[values.auth] ?? []).filter(() => touched.has('auth')).map(([name]) => 'auth.' + name), 'url', 'events', 'secret', 'description', 'filter', 'status', ...folded);
	const [unfolded, unfold] = useState(false);
	useEffect(() => { if (folded.includes(wrong.at?.split('.')[0])) unfold(true); }, [act.error]);
	const change = (name) => (value) => {
		set((v) => ({ ...v, [name]: value }));
		touch((t) => new Set(t).add(name));
		if (name === wrong.at) act.clear(); // it was said of the value before
	};
	// Who chooses again what is stored has changed nothing.
	const leave = (name) => touch((t) => new Set([...t].filter((n) => n !== name)));
	const simple = (name, label, more) => has(name) && html`<${Field} label=${label} value=${values[name]} onValue=${change(name)} wrong=${wrong.of(name)} ...${more} />`;
	return html`<form class="form" novalidate onSubmit=${(e) => { e.preventDefault(); act.run(); }}>
		<${Field} label="URL" type="url" required placeholder="https://your-server.com/webhooks" value=${values.url} onValue=${change('url')} wrong=${wrong.of('url')} />
		<${Types} chosen=${values.events} choose=${change('events')} wrong=${wrong.of('events')} />
		${simple('description', 'Description', { hint: 'A note of yours.' })}
		${!of && simple('secret', 'Secret', { type: 'password', autocomplete: 'new-password', hint: '16 to 256 bytes. Left empty, one is made and shown once.' })}
		${has('filter') && html`<${Filter} value=${values.filter} change=${change('filter')} wrong=${wrong.of('filter')} types=${values.events} />`}
		<details open=${unfolded} onToggle=${(e) => unfold(e.currentTarget.open)}><summary>Headers, authentication, limits</summary><div class="form">
			${simple('headers', 'Custom headers', { as: 'textarea', rows: 3, placeholder: 'X-Team: video', disabled: values.bare, hint: of?.headers?.length ? `One a line, as Name: value, in place of all there are: ${of.headers.join(', ')}. Left empty, those stay; their values are never shown.` : 'One a line, as Name: value. Values are never shown again.' })}
			${of?.headers?.length > 0 && html`<label class="check"><input type="checkbox" checked=${values.bare} onChange=${(e) => change('bare')(e.target.checked)} /><span>Take all custom headers away</span></label>`}
			${has('auth') && html`<${Field} label="Authentication" as="select" value=${values.auth} onValue=${(v) => { change('auth')(v); if (of && v === (of.auth?.type ?? '')) leave('auth'); }} wrong=${wrong.of('auth')} options=${[['', 'none'], ['basic', 'User name and password'], ['bearer', 'Bearer token'], ['oauth2', 'OAuth 2 client credentials'], ['mtls', 'Client certificate (mutual TLS)']]} />
				${touched.has('auth') && (authFields[values.auth] ?? []).map(([name, label, hidden, pem]) => html`<${Field} label=${label} ...${pem ? { as: 'textarea', rows: 4, hint: pem, placeholder: '-----BEGIN' } : { type: hidden ? 'password' : 'text' }} autocomplete="off" required=${name !== 'scope'} value=${auth[name] ?? ''} onValue=${(v) => { authed({ ...auth, [name]: v }); if (wrong.at === 'auth.' + name) act.clear(); }} wrong=${wrong.of('auth.' + name)} />`)}
				${of?.auth && !touched.has('auth') && html`<div><button type="button" class="small" onClick=${() => change('auth')(values.auth)}>Give its values anew</button></div>`}`}
			${simple('rateLimit', 'Attempts a second at most', { inputmode: 'numeric', hint: 'To 100,000. Left empty or 0, as many as come.' })}
			${simple('maxInFlight', 'Attempts in flight at most', { inputmode: 'numeric', hint: 'To 10,000. Left empty or 0, the server’s own limit.' })}
			${simple('retry', 'Retry after', { placeholder: '0s 1m 5m 15m 30m', hint: 'The delay before each attempt, separated by spaces: the first is 0s, sixteen at most. Left empty, the server’s.' })}
			${simple('timeout', 'Timeout', { placeholder: '15s', hint: 'How long an attempt may take, from 1s to 60s. Left empty, the server’s.' })}
			${has('ordered') && html`<label class="check"><input type="checkbox" checked=${values.ordered} onChange=${(e) => change('ordered')(e.target.checked)} /><span>One at a time, in the order of publishing</span></label>${wrong.of('ordered') && html`<span class="wrong" role="alert">${wrong.of('ordered')}</span>`}`}
			${!of && has('status') && html`<label class="check"><input type="checkbox" checked=${values.paused} onChange=${(e) => change('paused')(e.target.checked)} /><span>Start paused: events wait until it is resumed</span></label>${wrong.of('status') && html`<span class="wrong" role="alert">${wrong.of('status')}</span>`}`}
			${has('signing') && html`<${Field} label="Signature" as="select" value=${values.signing} onValue=${change('signing')} wrong=${wrong.of('signing')} options=${[['', 'by the secret (HMAC)'], ['ed25519', 'by a key pair too (Ed25519)']]} />`}
			${simple('metadata', 'Metadata', { as: 'textarea', rows: 2, placeholder: 'team: video', hint: 'Notes for programs, one a line, as name: value. Sixteen at most; they are not sent.' })}
		</div></details>
		${wrong.rest}
		<div class="row"><button class="main" disabled=${act.busy || !values.events.length}>${act.busy ? 'One moment…' : word}</button></div>
	</form>`;
}

function bodyOf(values, touched, auth, of) {
	const body = {};
	const clear = (name, value, empty) => { if (value !== empty) body[name] = value; else if (of) body[name] = null; };
	for (const name of touched) {
		const value = values[name];
		if (name === 'url') body.url = value.trim();
		else if (name === 'events') body.events = value;
		else if (name === 'secret') { if (value) body.secret = value; }
		else if (name === 'headers' || name === 'bare') {
			// Their values are not in the form, so an empty field says nothing of them.
			const headers = values.bare ? null : pairs('headers', values.headers);
			if (!headers || Object.keys(headers).length) body.headers = headers;
		} else if (name === 'metadata') {
			const metadata = pairs(name, value);
			clear(name, Object.keys(metadata).length ? metadata : '', '');
		} else if (name === 'rateLimit' || name === 'maxInFlight') clear(name, value.trim() && /^\d+$/.test(value.trim()) ? Number(value) : value.trim(), ''); // the API says what is wrong with it
		else if (name === 'retry') clear(name, value.trim() ? value.trim().split(/[\s,]+/) : '', '');
		else if (name === 'ordered') body.ordered = value;
		else if (name === 'paused') { if (value) body.status = 'paused'; }
		else if (name === 'auth') clear(name, value ? { type: value, ...Object.fromEntries(authFields[value].map(([field]) => [field, auth[field]]).filter(([, v]) => v)) } : '', '');
		else clear(name, value.trim(), '');
	}
	return body;
}

// pairs reads lines such as Name: value. Of two with one name neither may be lost without a word.
function pairs(field, text) {
	const all = Object.create(null); // __proto__ is a name like any other
	for (const line of text.split('\n').filter((l) => l.trim())) {
		const at = line.indexOf(':');
		const name = line.slice(0, at < 0 ? undefined : at).trim();
		if (Object.hasOwn(all, name)) throw new Problem(0, { field, message: `${name} stands there twice.` });
		all[name] = at < 0 ? '' : line.slice(at + 1).trim();
	}
	return all;
}

// Types are the catalogue by group, with all of a group and all there are.
function Types({ chosen, choose, wrong }) {
	const types = useLoad(() => eventTypes(), []);
	const all = chosen.includes('*');
	const flip = (name) => choose(chosen.includes(name) ? chosen.filter((t) => t !== name) : [...chosen, name]);
	const listed = new Set(['*', ...(types.data ?? []).flatMap((t) => [t.name, t.name.split('.')[0] + '.*'])]);
	return html`<fieldset class="stack tight"><legend>Events</legend>
		<label class="check"><input type="checkbox" checked=${all} onChange=${() => choose(all ? [] : ['*'])} /><span>All, also those to come</span></label>
		${types.error && html`<p class="wrong" role="alert"><${Said} error=${types.error} /> <button type="button" onClick=${types.reload}>Try again</button></p>`}
		${!all && html`<div class="types">${groups(types.data ?? []).map(([group, items]) => {
			const prefix = items[0].name.split('.')[0] + '.*';
			const whole = items.every((t) => t.name.startsWith(prefix.slice(0, -1))) && items.length > 1;
			const taken = whole && chosen.includes(prefix);
			return html`<fieldset key=${group}><legend><${Foreign} text=${group} /></legend>
				${whole && html`<label class="check"><input type="checkbox" checked=${taken} onChange=${() => choose(taken ? chosen.filter((t) => t !== prefix) : [...chosen.filter((t) => !t.startsWith(prefix.slice(0, -1))), prefix])} /><span><code><${Name} of=${prefix} /></code></span></label>`}
				${items.map((t) => html`<label class="check" title=${t.description && plain(t.description)}><input type="checkbox" disabled=${taken} checked=${taken || chosen.includes(t.name)} onChange=${() => flip(t.name)} /><span><code><${Name} of=${t.name} /></code></span></label>`)}</fieldset>`;
		})}
		${chosen.filter((t) => types.data && !listed.has(t)).map((t) => html`<label class="check"><input type="checkbox" checked onChange=${() => flip(t)} /><span><code><${Name} of=${t} /></code></span></label>`)}</div>`}
		${wrong && html`<span class="wrong" role="alert">${wrong}</span>`}</fieldset>`;
}

// Filter is the expression, with a try-out against a sample.
function Filter({ value, change, wrong, types: chosen }) {
	const types = useLoad(() => eventTypes(), []);
	const [open, show] = useState(false);
	const first = (types.data ?? []).find((t) => chosen.includes(t.name)) ?? types.data?.[0];
	const [sample, type] = useState(null);
	const [result, tell] = useState(null);
	const act = useAct(async () => {
		const data = sample ?? sampleOf(first);
		tell(null);
		try { JSON.parse(data); } catch { throw new Error('The sample is not JSON.'); }
		tell(await ask('POST', 'webhooks/filter-test', `{"filter":${JSON.stringify(value)},"event":${JSON.stringify(first?.name ?? '')},"data":${data}}`));
	});
	return html`<div class="stack tight"><${Field} label="Filter" as="textarea" rows="2" placeholder='data.size > 1000000 && data.format == "mp4"' value=${value} onValue=${(v) => { change(v); tell(null); }} wrong=${wrong}
			hint="A CEL expression over event, id, timestamp and data: only events for which it is true go here. A convenience, no wall." />
		${takes('POST /webhooks/filter-test', 'filter') && html`<div class="row"><button type="button" class="small" aria-expanded=${open ? 'true' : 'false'} onClick=${() => show(!open)}>Try it out</button></div>`}
		${open && html`<${Field} label=${html`Sample data of ${first?.name ?? 'an event'}`} as="textarea" rows="5" value=${sample ?? sampleOf(first)} onValue=${type} />
			<div class="row"><button type="button" disabled=${act.busy || !value} onClick=${() => act.run()}>Test</button>
			<span role="status">${result && (result.error ? html`<span class="wrong"><${Said} error=${result.error} /></span>` : result.matches ? 'It matches: such an event goes here.' : 'It does not match.')}</span>
			${act.error && html`<span class="wrong" role="alert"><${Said} error=${act.error} /></span>`}</div>`}</div>`;
}
