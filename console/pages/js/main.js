// Begins: finds the API, then shows the shell or the log-in.
import { html, render, useState, useEffect } from '../vendor/htm-preact.js';
import { begin, enter, onSession, portal, session, takeLink, takeToken } from './api.js';
import { MailLink } from './mail.js';
import { Shell, Login } from './shell.js';
import { Wrong } from './parts.js';

const theme = new URLSearchParams(location.search).get('theme');
if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;

// Before anything is asked: a token does not stay in the address while a slow server answers.
takeLink() || takeToken();

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
	if (session.link && state.begun) return html`<${MailLink} key=${session.link.token} ...${session.link} />`;
	if (session.who) return html`<${Shell} />`;
	if (state.begun) return html`<${Login} />`;
	if (state.error) return html`<div class="login"><div class="card stack"><h1>${portal ? 'Webhooks' : 'Webhooks console'}</h1><${Wrong} error=${state.error} again=${start} /></div></div>`;
	return html`<p class="boot">Loading…</p>`;
}

const root = document.getElementById('app');
root.replaceChildren();
render(html`<${Page} />`, root);
