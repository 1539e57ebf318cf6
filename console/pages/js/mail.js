// What a link in a mail opens: it confirms the reader's address, or ends the mails to it. A program that only looks at
// links, as mail servers have, changes nothing by that: it takes a press of the button.
import { html, useState } from '../vendor/htm-preact.js';
import { ask } from './api.js';
import { useAct } from './load.js';
import { Foreign, Said } from './parts.js';

const words = {
	confirm: { title: 'Mail about failed webhooks', text: 'Be told by mail when a webhook of yours fails, and when it works again.', button: 'Yes, tell me', done: 'is told from now on.' },
	unsubscribe: { title: 'No more mail about webhooks', text: 'This address is then told of failed webhooks no more.', button: 'No more mail', done: 'gets no more mail.' },
};

export default function MailLink({ does, token }) {
	const [done, set] = useState(null);
	const act = useAct(async () => set(await ask('POST', 'account/confirm', { token })));
	const w = words[does];
	return html`<main class="login"><div class="card stack"><h1>${w.title}</h1>
		${done ? html`<p role="status"><${Foreign} text=${done.address} /> ${w.done}</p>` : html`<p>${w.text}</p>
			${act.error && html`<p class="wrong" role="alert"><${Said} error=${act.error} /></p>`}
			<button class="main" disabled=${act.busy} onClick=${() => act.run()}>${act.busy ? 'One moment…' : w.button}</button>`}
	</div></main>`;
}
