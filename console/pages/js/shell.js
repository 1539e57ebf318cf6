// The frame around every view, the addresses of views, and the log-in.
import { html, Field, Foreign } from './parts.js';
import { useState, useEffect, useRef } from '../vendor/htm-preact.js';
import { enter, get, leave, lookAt, may, offers, portal, session } from './api.js';
import { useAct, useLoad } from './load.js';

// views are the rooms: their address, their name, the module that shows one, and who sees it in the menu.
const views = [
	{ at: 'overview', name: 'Overview', load: () => import('./views/overview.js') },
	{ at: 'webhooks', name: 'Webhooks', load: () => import('./views/webhooks.js'), detail: () => import('./views/webhook.js'), portal: true },
	{ at: 'events', name: 'Events', load: () => import('./views/events.js'), detail: () => import('./views/event.js') },
	{ at: 'deliveries', name: 'Deliveries', load: () => import('./views/deliveries.js'), detail: () => import('./views/delivery.js'), portal: true },
	{ at: 'event-types', name: 'Event types', load: () => import('./views/event_types.js'), detail: () => import('./views/event_types.js'), portal: true },
	{ at: 'gateways', name: 'Gateways', load: () => import('./views/gateways.js'), detail: () => import('./views/gateway.js') },
	{ at: 'live', name: 'Live', load: () => import('./views/live.js') },
	{ at: 'keys', name: 'Keys, accounts', load: () => import('./views/keys.js') },
	{ at: 'register', load: () => import('./views/register.js'), within: 'webhooks', portal: true },
	{ at: 'publish', load: () => import('./views/publish.js'), within: 'events' },
];
const mine = views.filter((v) => !portal || v.portal);

function address() {
	const [path, search = ''] = location.hash.replace(/^#\/?/, '').split('?');
	const [at = '', id = '', part = ''] = path.split('/').map((s) => { try { return decodeURIComponent(s); } catch { return s; } });
	return { at: at || (portal ? 'webhooks' : 'overview'), id, part, query: Object.fromEntries(new URLSearchParams(search)) };
}

function useAddress() {
	const [now, set] = useState(address);
	useEffect(() => {
		const changed = () => set(address());
		addEventListener('hashchange', changed);
		return () => removeEventListener('hashchange', changed);
	}, []);
	return now;
}

function View({ here }) {
	const view = mine.find((v) => v.at === here.at);
	const load = view && (here.id && view.detail ? view.detail : view.load);
	const module = useLoad(async () => (load ? (await load()).default : null), [here.at, Boolean(here.id)]);
	if (module.error) return html`<div class="note bad row between" role="alert">This part of the page could not be loaded. <button onClick=${module.reload}>Try again</button></div>`;
	if (module.data === undefined) return null;
	if (module.data === null) return html`<h1 tabindex="-1">There is nothing at this address</h1><p><a href="#/">To the start</a></p>`;
	const Shown = module.data;
	return html`<${Shown} key=${`${session.account} ${here.at} ${here.id}`} id=${here.id} part=${here.part} query=${here.query} />`;
}

export function Shell() {
	const here = useAddress();
	const first = useRef(true);
	const main = useRef(null);
	const nav = useRef(null);
	const current = mine.find((v) => v.at === here.at);
	useEffect(() => {
		nav.current?.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'center' });
		document.title = `${current?.name ?? mine.find((v) => v.at === current?.within)?.name ?? 'Webhooks'} · Webhooks`;
		if (first.current) { first.current = false; return; }
		main.current.focus();
		scrollTo(0, 0);
	}, [here.at, here.id]);
	const logo = portal ? '../theme/logo.svg' : 'icon.svg';
	return html`<div class="shell">
		<a class="skip" href="#main" onClick=${(e) => { e.preventDefault(); main.current.focus(); }}>To the content</a>
		<header class="side">
			<a class="brand" href="#/"><${Logo} src=${logo} /><span>${portal ? 'Webhooks' : 'Webhooks console'}</span></a>
			<nav aria-label="Views" ref=${nav}>${mine.filter((v) => v.name).map((v) => html`<a href=${'#/' + v.at} aria-current=${v.at === here.at || current?.within === v.at ? 'page' : undefined}>${v.name}</a>`)}</nav>
			<${Who} />
		</header>
		<main id="main" tabindex="-1" ref=${main}><${View} here=${here} /></main>
	</div>`;
}

// Logo falls back to the product's own where the theme has none.
function Logo({ src }) {
	const [failed, set] = useState(false);
	return html`<img alt="" width="26" height="26" src=${failed ? '../icon.svg' : src} onError=${() => set(true)} />`;
}

function Who() {
	const { who, config } = session;
	if (portal) return html`<div class="who"><span class="about muted">Account <${Foreign} text=${who.account} /></span></div>`;
	return html`<div class="who">
		${who.account === '*' && html`<${Account} />`}
		<span class="about muted">${who.account === '*' ? 'All accounts' : html`Account <${Foreign} text=${who.account} />`}, role ${who.role}<br />Version ${config.version}</span>
		${!config.actAs && html`<button class="small" onClick=${() => leave()}>Log out</button>`}
	</div>`;
}

function Account() {
	const [text, set] = useState(session.account);
	const known = useLoad(async (signal) => (offers('GET /accounts') && may.all() ? (await get('accounts?limit=100', { signal })).items : []), []);
	const choose = (e) => { e?.preventDefault(); if (/^[A-Za-z0-9._-]{1,64}$/.test(text) && text !== session.account) lookAt(text); };
	return html`<form onSubmit=${choose}><${Field} label="Account" value=${text} onValue=${set} onBlur=${choose} onChange=${choose} list="accounts" pattern="[A-Za-z0-9._\\-]{1,64}" required />
		<datalist id="accounts">${(known.data ?? []).map((a) => html`<option value=${a.account}></option>`)}</datalist></form>`;
}

export function Login() {
	const [key, set] = useState('');
	const act = useAct(() => enter(key.trim()));
	if (portal) {
		return html`<main class="login"><div class="card stack"><h1>Webhooks</h1>
			<p>${session.ended || 'Open this page by the link that you were given: it lets you in.'}</p></div></main>`;
	}
	return html`<main class="login"><form class="card stack" onSubmit=${(e) => { e.preventDefault(); act.run(); }}>
		<h1>Webhooks console</h1>
		<p class="muted">Log in with an API key. It stays in this tab, until you close it or log out.</p>
		<${Field} label="API key" type="password" required autofocus autocomplete="current-password" value=${key} onValue=${set} wrong=${act.error && session.ended ? session.ended : act.error && html`<${Foreign} text=${act.error.message} />`} />
		${!act.error && session.ended && html`<p class="note warn">${session.ended}</p>`}
		<button class="main" disabled=${act.busy}>${act.busy ? 'One moment…' : 'Log in'}</button>
		<p class="small muted">A key for all accounts (<code>api_key … *</code>) shows gateways and the live tail too.</p>
	</form></main>`;
}
