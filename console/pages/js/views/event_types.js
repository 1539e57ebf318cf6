// The catalogue of event types, each with what it looks like and code that verifies its deliveries.
import { html, Act, Code, Empty, Field, Foreign, Head, Loaded, link } from '../parts.js';
import { useState } from '../../vendor/htm-preact.js';
import { ask, may, offers, portal, session } from '../api.js';
import { useLoad } from '../load.js';
import { eventTypes, groups } from '../catalogue.js';
import { languages, verify } from '../verify_code.js';

export default function EventTypes({ id }) {
	const types = useLoad(() => eventTypes(), []);
	return html`<${Loaded} from=${types}>${(items) => {
		if (id) {
			const type = items.find((t) => t.name === id);
			return type ? html`<${One} type=${type} saved=${async () => { await eventTypes(true); types.reload(); }} />` : html`<${Head} title="There is no such event type" back=${['#/event-types', 'Event types']} />`;
		}
		return html`<${Catalogue} items=${items} />`;
	}}</${Loaded}>`;
}

function Catalogue({ items }) {
	const [text, find] = useState('');
	const words = text.toLowerCase();
	const found = groups(items.filter((t) => [t.name, t.description ?? ''].some((s) => s.toLowerCase().includes(words))));
	return html`<${Head} title="Event types" /><div class="stack wide-gap"><div class="filters"><${Field} label="Search" type="search" value=${text} onValue=${find} /></div>
		${!found.length && html`<${Empty} title="No type matches" />`}
		${found.map(([group, types]) => html`<section class="stack tight" key=${group}><h2><${Foreign} text=${group} /></h2><div class="card flush"><table><thead class="hidden"><tr><th>Type</th><th>What it says</th></tr></thead><tbody>
			${types.map((t) => html`<tr key=${t.name}><td><a href=${link('event-types', t.name)}><code><${Foreign} text=${t.name} /></code></a>${t.schema && html` <span class="tag">schema</span>`}</td><td class="muted"><${Foreign} text=${t.description ?? ''} /></td></tr>`)}</tbody></table></div></section>`)}
		<${Verify} /></div>`;
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

function One({ type, saved }) {
	const edits = offers('PUT /event-types/{name}') && session.who.account === '*' && may.all() && !portal;
	const text = (v) => (v === undefined ? '' : JSON.stringify(v, null, 2));
	const [schema, setSchema] = useState(text(type.schema));
	const [example, setExample] = useState(text(type.example));
	const wrong = (t) => { try { if (t.trim()) JSON.parse(t); return ''; } catch { return 'This is not JSON yet.'; } };
	return html`<${Head} title=${type.name} foreign=${true} back=${['#/event-types', 'Event types']}>${may.publish() && !portal && html`<a class="button main" href=${'#/publish?event=' + encodeURIComponent(type.name)}>Publish a sample</a>`}</${Head}>
	<div class="stack wide-gap"><p><${Foreign} text=${type.description ?? ''} /></p>
		${edits ? html`<section class="card form"><${Field} label="Schema" as="textarea" rows="10" value=${schema} onValue=${setSchema} wrong=${wrong(schema) || undefined} hint="JSON Schema (2020-12). From then on the data of events of this type must fit. Left empty, there is none." />
			<${Field} label="Example" as="textarea" rows="8" value=${example} onValue=${setExample} wrong=${wrong(example) || undefined} hint="What samples and test events use." />
			<div class="row"><${Act} class="main" disabled=${Boolean(wrong(schema) || wrong(example))} does=${async () => {
		await ask('PUT', `event-types/${encodeURIComponent(type.name)}`, `{"schema":${schema.trim() || 'null'},"example":${example.trim() || 'null'}}`);
		await saved();
	}}>Save</${Act}></div></section>`
		: html`<section class="stack"><h2>Example</h2>${type.example !== undefined ? html`<${Code} label="Example" text=${text(type.example)} />` : html`<p class="muted">None is given.</p>`}</section>
			<section class="stack"><h2>Schema</h2>${type.schema !== undefined ? html`<${Code} label="Schema" text=${text(type.schema)} />` : html`<p class="muted">None is given: any JSON object fits.</p>`}</section>`}
		<${Verify} /></div>`;
}
