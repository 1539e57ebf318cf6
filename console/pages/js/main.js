// Begins: finds the API, then shows the log-in, or the views, by their addresses, in the frame around them.
import { html, Field, Foreign, Head, Said, Wrong, address } from './parts.js';
import { render, useState, useEffect, useRef } from '../vendor/htm-preact.js';
import { begin, described, enter, get, leave, lookAt, may, offers, onSession, part, portal, session, takeLink, takeToken } from './api.js';
import { useAct, useLoad } from './load.js';

const theme = new URLSearchParams(location.search).get('theme');
if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;

// Before anything is asked: a token does not stay in the address while a slow server answers.
takeLink() || takeToken();

const mail = () => import('./mail.js');

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
const nameOf = (view) => view?.name ?? mine.find((v) => v.at === view?.within)?.name ?? 'Webhooks';

function place() {
	const { at, ...rest } = address();
	return { at: at || (portal ? 'webhooks' : 'overview'), ...rest };
}

function useAddress() {
	const [now, set] = useState(place);
	useEffect(() => {
		const changed = () => set(place());
		addEventListener('hashchange', changed);
		changed(); // it may have changed since it was read
		return () => removeEventListener('hashchange', changed);
	}, []);
	return now;
}

// Part shows what a module has, once it is there, and for a view once it is known what the server offers.
function Part({ load, name, shown, ...props }) {
	const module = useLoad(async () => (await Promise.all([part(load), session.who && described()]))[0].default, []);
	if (module.error) return html`<${Head} title=${name} /><${Wrong} error=${module.error} again=${module.reload} />`;
	return module.data && html`<${module.data} key=${shown} ...${props} />`;
}

function View({ here }) {
	const view = mine.find((v) => v.at === here.at);
	if (!view) return html`<${Head} title="There is nothing at this address" /><p><a href="#/">To the start</a></p>`;
	const one = Boolean(here.id && view.detail);
	return html`<${Part} key=${`${here.at} ${one}`} load=${one ? view.detail : view.load} name=${nameOf(view)}
		shown=${`${session.account} ${here.at} ${here.id}`} id=${here.id} query=${here.query} />`;
}

function Shell() {
	const here = useAddress();
	const first = useRef(true);
	const main = useRef(null);
	const nav = useRef(null);
	const current = mine.find((v) => v.at === here.at);
	useEffect(() => {
		nav.current?.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'center' });
		document.title = `${nameOf(current)} · Webhooks`;
		if (first.current) { first.current = false; return; }
		main.current.focus();
		scrollTo(0, 0);
	}, [here.at, here.id]);
	return html`<div class="shell">
		<a class="skip" href="#main" onClick=${(e) => { e.preventDefault(); main.current.focus(); }}>To the content</a>
		<header class="side">
			<a class="brand" href="#/"><${Logo} /><span>${portal ? 'Webhooks' : 'Webhooks console'}</span></a>
			<nav aria-label="Views" ref=${nav}>${mine.filter((v) => v.name).map((v) => html`<a href=${'#/' + v.at} aria-current=${v.at === here.at || current?.within === v.at ? 'page' : undefined}>${v.name}</a>`)}</nav>
			<${Who} />
		</header>
		<main id="main" tabindex="-1" ref=${main}><${View} here=${here} /></main>
	</div>`;
}

// Logo is the theme's, and the product's own where the theme has none.
function Logo() {
	const [own, set] = useState(!portal);
	return html`<img alt="" width="26" height="26" src=${own ? new URL('../icon.svg', import.meta.url) : '../theme/logo.svg'} onError=${() => set(true)} />`;
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
	const known = useLoad(async (signal) => {
		await described();
		return offers('GET /accounts') && may.all() ? (await get('accounts?limit=100', { signal })).items : [];
	}, []);
	const choose = (e) => { e?.preventDefault(); if (/^[A-Za-z0-9._-]{1,64}$/.test(text) && text !== session.account) lookAt(text); };
	return html`<form onSubmit=${choose}><${Field} label="Account" value=${text} onValue=${set} onBlur=${choose} onChange=${choose} list="accounts" pattern="[A-Za-z0-9._\\-]{1,64}" required />
		<datalist id="accounts">${(known.data ?? []).map((a) => html`<option value=${a.account}></option>`)}</datalist></form>`;
}

function Login() {
	const [key, set] = useState('');
	const act = useAct(() => enter(key.trim()));
	if (portal) {
		return html`<main class="login"><div class="card stack"><h1>Webhooks</h1>
			<p>${session.ended || 'Open this page by the link that you were given: it lets you in.'}</p></div></main>`;
	}
	return html`<main class="login"><form class="card stack" onSubmit=${(e) => { e.preventDefault(); act.run(); }}>
		<h1>Webhooks console</h1>
		<p class="muted">Log in with an API key. It stays in this tab, until you close it or log out.</p>
		<${Field} label="API key" type="password" required autofocus autocomplete="current-password" value=${key} onValue=${set} wrong=${act.error && session.ended ? session.ended : act.error && html`<${Said} error=${act.error} />`} />
		${!act.error && session.ended && html`<p class="note warn">${session.ended}</p>`}
		<button class="main" disabled=${act.busy}>${act.busy ? 'One moment…' : 'Log in'}</button>
		<p class="small muted">A key for all accounts (<code>api_key … *</code>) shows gateways and the live tail too.</p>
	</form></main>`;
}

function Page() {
	const [state, set] = useState({ begun: false });
	const [, turn] = useState(0);
	const start = () => begin().then(() => set({ begun: true }), (error) => set({ begun: Boolean(session.config) && (error.status === 401 || error.status === 403), error }));
	useEffect(() => {
		start();
		// Another link opened in the same tab changes the address alone. This listener comes before those of the views.
		addEventListener('hashchange', () => { if (takeLink()) turn((n) => n + 1); else if (takeToken()) enter(session.key).catch((error) => set({ begun: true, error })); });
		return onSession(() => turn((n) => n + 1));
	}, []);
	if (session.link && state.begun) return html`<${Part} load=${mail} name="Webhooks" shown=${session.link.token} ...${session.link} />`;
	if (session.who) return html`<${Shell} />`;
	if (state.begun) return html`<${Login} />`;
	if (state.error) return html`<div class="login"><div class="card stack"><h1>${portal ? 'Webhooks' : 'Webhooks console'}</h1><${Wrong} error=${state.error} again=${start} /></div></div>`;
	return html`<p class="boot">Loading…</p>`;
}

const root = document.getElementById('app');
root.replaceChildren();
render(html`<${Page} />`, root);
