// The catalogue of event types, each with what it looks like and code that verifies its deliveries.
import { html, Ask, Code, Dialog, Empty, Field, Foreign, Head, Loaded, Name, go, link, useFilters, wrongs } from '../parts.js';
import { useState } from '../../vendor/htm-preact.js';
import { ask, may, offers, portal, Problem, route, session } from '../api.js';
import { useAct, useLoad } from '../load.js';
import { eventTypes, groups } from '../catalogue.js';
import { languages, verify } from '../verify_code.js';

// edits says whether this key may change the catalogue, which is that of every account.
const edits = () => offers('PUT /event-types/{name}') && session.who.account === '*' && may.all() && !portal;

export default function EventTypes({ id }) {
	const types = useLoad(() => eventTypes(), []);
	return html`<${Loaded} from=${types} title="Event types">${(items) => {
		if (id) {
			const type = items.find((t) => t.name === id);
			return type ? html`<${One} type=${type} saved=${async () => { await eventTypes(true); types.reload(); }} />` : html`<${Head} title="There is no such event type" back=${['#/event-types', 'Event types']} /><p class="muted">Check its name: it was never added, or deleted since.</p>`;
		}
		return html`<${Catalogue} items=${items} />`;
	}}</${Loaded}>`;
}

function Catalogue({ items }) {
	const { by: { search }, change } = useFilters({ search: '' });
	const words = search.toLowerCase();
	const found = groups(items.filter((t) => [t.name, t.description ?? ''].some((s) => s.toLowerCase().includes(words))));
	const [adding, add] = useState(false);
	return html`<${Head} title="Event types">${edits() && html`<button onClick=${() => add(true)}>Add a type</button>`}</${Head}><div class="stack wide-gap"><div class="filters"><${Field} label="Search" type="search" value=${search} onValue=${change('search')} /></div>
		${!found.length && html`<${Empty} title="No type matches" />`}
		${found.map(([group, types]) => html`<section class="stack tight" key=${group}><h2><${Foreign} text=${group} /></h2><ul class="card flush catalogue">
			${types.map((t) => html`<li key=${t.name}><span><a href=${link('event-types', t.name)}><code><${Name} of=${t.name} /></code></a>${t.schema && html` <span class="tag">schema</span>`}</span><span class="muted"><${Foreign} text=${t.description ?? ''} /></span></li>`)}</ul></section>`)}
		<${Verify} /></div>
	${adding && html`<${Add} close=${() => add(false)} />`}`;
}

function Add({ close }) {
	const [values, set] = useState({ name: '', description: '', group: '' });
	const change = (name) => (value) => set((v) => ({ ...v, [name]: value }));
	const act = useAct(async () => {
		const { name, ...rest } = values;
		// Who wants to change one opens it, and sees what is there.
		if ((await eventTypes(true)).some((t) => t.name === name.trim())) throw new Problem(0, { field: 'name', message: 'There is such a type already.' });
		const made = await ask('PUT', route`event-types/${name.trim()}`, Object.fromEntries(Object.entries(rest).filter(([, value]) => value.trim())));
		await eventTypes(true);
		go(link('event-types', made.name));
	});
	const wrong = wrongs(act, 'name', 'description', 'group');
	return html`<${Dialog} title="Add an event type" close=${close}><form class="form" onSubmit=${(e) => { e.preventDefault(); act.run(); }}>
		<${Field} label="Name" placeholder="order.paid" required value=${values.name} onValue=${change('name')} wrong=${wrong.of('name')} hint="What webhooks subscribe to. It can’t be changed later." />
		<${Field} label="Description" value=${values.description} onValue=${change('description')} wrong=${wrong.of('description')} />
		<${Field} label="Group" value=${values.group} onValue=${change('group')} wrong=${wrong.of('group')} hint="What it stands with in lists. Left empty, the part of its name before the first dot." />
		${wrong.rest}
		<div><button class="main" disabled=${act.busy}>Add it</button></div></form></${Dialog}>`;
}

function Verify() {
	const [language, pick] = useState(languages[0]);
	return html`<section class="card stack"><h2>Verify deliveries</h2><p class="muted">Check the signature over the body as it came, before anything else is done with it. <code>SECRET</code> is the webhook’s secret.</p>
		<div class="tabs" role="tablist" aria-label="Language">${languages.map((l, i) => html`<button role="tab" id=${'lang' + i} aria-selected=${l === language ? 'true' : 'false'} tabindex=${l === language ? 0 : -1} aria-controls="code" onClick=${() => pick(l)}
			onKeyDown=${(e) => {
		const step = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
		if (!step) return;
		const next = (i + step + languages.length) % languages.length;
		pick(languages[next]);
		e.currentTarget.parentElement.children[next].focus();
	}}>${l}</button>`)}</div>
		<div role="tabpanel" id="code" aria-labelledby=${'lang' + languages.indexOf(language)}><${Code} label=${language} text=${verify(language, session.config.brand)} /></div></section>`;
}

// Edit is what stands in the catalogue about a type. Only what was changed is sent, schema and example as they were typed: a
// number that JavaScript can’t hold stays as it is.
function Edit({ type, saved }) {
	const json = (v) => (v === undefined ? '' : JSON.stringify(v, null, 2));
	const before = { description: type.description ?? '', group: type.group ?? '', schema: json(type.schema), example: json(type.example) };
	// What was not typed is what is stored, also once that was read again; what was saved stays as it was typed.
	const [typed, keep] = useState({});
	const [unsaved, set] = useState({});
	const values = { ...before, ...typed };
	const [stored, tell] = useState(false);
	const notJSON = (t) => { try { if (t.trim()) JSON.parse(t); return undefined; } catch { return 'This is not JSON yet.'; } };
	const change = (name) => (value) => { for (const f of [keep, set]) f((v) => ({ ...v, [name]: value })); tell(false); };
	const act = useAct(async () => {
		const changed = Object.entries(unsaved).filter(([name, now]) => now !== before[name]);
		const written = (name, now) => (name === 'schema' || name === 'example' ? now : JSON.stringify(now.trim()));
		await ask('PUT', route`event-types/${type.name}`, `{${changed.map(([name, now]) => `"${name}":${now.trim() ? written(name, now) : 'null'}`).join()}}`);
		await saved();
		set((u) => Object.fromEntries(Object.entries(u).filter(([name, now]) => now !== unsaved[name])));
		tell(true);
	});
	const wrong = wrongs(act, 'description', 'group', 'schema', 'example');
	const unready = notJSON(values.schema) || notJSON(values.example);
	return html`<form class="card form" onSubmit=${(e) => { e.preventDefault(); if (!unready) act.run(); }}>
		<${Field} label="Description" value=${values.description} onValue=${change('description')} wrong=${wrong.of('description')} />
		<${Field} label="Group" value=${values.group} onValue=${change('group')} wrong=${wrong.of('group')} hint="What it stands with in lists." />
		<${Field} label="Schema" as="textarea" rows="10" value=${values.schema} onValue=${change('schema')} wrong=${notJSON(values.schema) ?? wrong.of('schema')} hint="JSON Schema (2020-12). From then on the data of events of this type must fit. Left empty, there is none." />
		<${Field} label="Example" as="textarea" rows="8" value=${values.example} onValue=${change('example')} wrong=${notJSON(values.example) ?? wrong.of('example')} hint="What samples and test events use." />
		${wrong.rest}
		<div class="row"><button class="main" disabled=${act.busy || Boolean(unready)}>${act.busy ? 'One moment…' : 'Save'}</button><span role="status">${stored && 'Saved.'}</span></div></form>`;
}

function One({ type, saved }) {
	const text = (v) => JSON.stringify(v, null, 2);
	const [asking, show] = useState(false);
	return html`<${Head} title=${html`<${Name} of=${type.name} />`} back=${['#/event-types', 'Event types']}>${may.publish() && !portal && html`<a class="button main" href=${'#/publish?event=' + encodeURIComponent(type.name)}>Publish a sample</a>`}${edits() && html`<button class="danger" onClick=${() => show(true)}>Delete</button>`}</${Head}>
	<div class="stack wide-gap"><p><${Foreign} text=${type.description ?? ''} /></p>
		${edits() ? html`<${Edit} type=${type} saved=${saved} />`
		: html`<section class="stack"><h2>Example</h2>${type.example !== undefined ? html`<${Code} label="Example" text=${text(type.example)} />` : html`<p class="muted">None is given.</p>`}</section>
			<section class="stack"><h2>Schema</h2>${type.schema !== undefined ? html`<${Code} label="Schema" text=${text(type.schema)} />` : html`<p class="muted">None is given: any JSON object fits.</p>`}</section>`}
		<${Verify} /></div>
	${asking && html`<${Ask} title="Delete this event type?" typed=${type.name} word="Delete the type" close=${() => show(false)} does=${async () => { await ask('DELETE', route`event-types/${type.name}`); await eventTypes(true); go('#/event-types'); }}>
		<p>Events of this type are refused from then on. Types of the configuration are taken away there.</p></${Ask}>`}`;
}
