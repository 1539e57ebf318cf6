// Keys and accounts: who may do what, links to the portal, and the accounts there are.
import { html, Ask, Copy, Dialog, Empty, Field, Foreign, Head, Listed, Loaded, NotOffered, Time, tone, wrongs } from '../parts.js';
import { useState } from '../../vendor/htm-preact.js';
import { ask, get, lookAt, may, offers, query, route, session } from '../api.js';
import { useAct, useLoad, usePages } from '../load.js';

const ends = [['', 'never'], ['24h', 'in a day'], ['168h', 'in a week'], ['720h', 'in 30 days'], ['8760h', 'in a year']];

export default function Keys() {
	const [open, show] = useState('');
	const [ending, end] = useState(null);
	const any = session.who.account === '*';
	const listed = offers('GET /api-keys');
	const keys = usePages((cursor) => (listed && may.all() ? get('api-keys' + query({ cursor })) : { items: [] }), []);
	const accounts = usePages((cursor) => (offers('GET /accounts') && any && may.all() ? get('accounts' + query({ cursor })) : { items: [] }), []);
	return html`<${Head} title="Keys, accounts">${may.all() && offers('POST /portal-links') && html`<button onClick=${() => show('link')}>Portal link</button>`}${may.all() && offers('POST /api-keys') && html`<button class="main" onClick=${() => show('key')}>Make a key</button>`}</${Head}>
	<div class="stack wide-gap">
		<section class="stack"><h2>Keys</h2><p class="small muted">Those that were made here or by the API. Keys of the Caddyfile are changed there.</p>
			${!listed ? html`<${NotOffered} what="keys that are made" />` : !may.all() ? html`<p class="note">Only a key with role all sees and makes keys.</p>` : html`<${Listed} from=${keys} empty=${html`<${Empty} title="No key was made yet"><p class="muted">Make one for each program that uses the API, with the role that it needs.</p></${Empty}>`}>${(items) => html`<table>
			<thead><tr><th>Key</th><th class="fit">Role</th><th class="extra">Account</th><th class="fit extra">Made</th><th class="fit some">Ends</th><th class="fit some">Last used</th><th class="fit"><span class="hidden">Actions</span></th></tr></thead>
			<tbody>${items.map((k) => html`<tr key=${k.id}><td><${Foreign} text=${k.description || k.id} />${k.description && html`<div class="small muted mono">${k.id}</div>`}</td><td class="fit"><span class="tag">${k.role}</span></td><td class="extra"><${Foreign} text=${k.account ?? ''} /></td>
				<td class="fit extra"><${Time} at=${k.createdAt} /></td><td class="fit some">${k.expiresAt ? html`<${Time} at=${k.expiresAt} />` : 'never'}</td><td class="fit some">${k.lastUsedAt ? html`<${Time} at=${k.lastUsedAt} />` : html`<span class="muted">never</span>`}</td>
				<td class="fit"><button class="small danger" onClick=${() => end(k)}>Delete</button></td></tr>`)}</tbody></table>`}</${Listed}>`}</section>
		${any && html`<section class="stack"><h2>Accounts</h2>${!offers('GET /accounts') ? html`<${NotOffered} what="a list of accounts" why="Name one in the field Account to look at it." />` : !may.all() ? html`<p class="note">Only a key with role all sees the list.</p>`
			: html`<${Listed} from=${accounts} empty=${html`<${Empty} title="No account yet"><p class="muted">An account begins with its first webhook or event.</p></${Empty}>`}>${(items) => html`<table><thead><tr><th>Account</th><th class="extra">Name</th><th class="fit some">Since</th><th class="fit"><span class="hidden">Actions</span></th></tr></thead>
			<tbody>${items.map((a) => html`<tr key=${a.account}><td><${Foreign} text=${a.account} />${a.account === session.account && html` <span class=${'status ' + tone('active')}>shown</span>`}</td><td class="extra"><${Foreign} text=${a.name ?? ''} /></td><td class="fit some"><${Time} at=${a.createdAt} /></td>
				<td class="fit"><div class="row still"><button class="small" onClick=${() => lookAt(a.account)}>Look at it</button><button class="small danger" onClick=${() => end(a)}>Delete</button></div></td></tr>`)}</tbody></table>`}</${Listed}>`}</section>`}
		${offers('GET /account') && may.manage() && html`<${Account} />`}
	</div>
	${open === 'key' && html`<${MakeKey} close=${() => { show(''); keys.reload(); }} />`}
	${open === 'link' && html`<${MakeLink} close=${() => { show(''); keys.reload(); }} />`}
	${ending && html`<${Ask} title=${ending.key || ending.id ? 'Delete this key?' : 'Delete this account?'} typed=${ending.id ? undefined : ending.account} close=${() => end(null)} does=${async () => {
		await ask('DELETE', ending.id ? `api-keys/${ending.id}` : route`accounts/${ending.account}`);
		end(null);
		(ending.id ? keys : accounts).reload();
	}}><p>${ending.id ? 'Whoever uses it is refused within a second, and so is every key that it made.' : 'Its webhooks, events, deliveries and keys are gone.'} This can’t be taken back.</p></${Ask}>`}`;
}

function MakeKey({ close }) {
	const any = session.who.account === '*';
	const [values, set] = useState({ account: session.account || '', role: 'publish', description: '', expiresIn: '' });
	const [made, show] = useState(null);
	const change = (name) => (value) => set((v) => ({ ...v, [name]: value }));
	const act = useAct(async () => show(await ask('POST', 'api-keys', Object.fromEntries(Object.entries(values).filter(([name, value]) => value && (name !== 'account' || any))))));
	const wrong = wrongs(act, 'description', 'role', 'account', 'expiresIn');
	if (made) {
		return html`<${Dialog} title="The key is made" close=${close}><p><b>It is shown this once.</b> Keep it where the program finds it.</p><p class="row"><code>${made.key}</code><${Copy} text=${made.key} /></p><div><button class="main" onClick=${close}>Done</button></div></${Dialog}>`;
	}
	return html`<${Dialog} title="Make a key" close=${close}><form class="form" onSubmit=${(e) => { e.preventDefault(); act.run(); }}>
		<${Field} label="What it is for" value=${values.description} onValue=${change('description')} wrong=${wrong.of('description')} />
		<${Field} label="Role" as="select" wrong=${wrong.of('role')} value=${values.role} onValue=${change('role')} options=${[['publish', 'publish: events only'], ['read', 'read: look at everything'], ['manage', 'manage: webhooks, deliveries, replays'], ['all', 'all: everything of the account']]} />
		${any && html`<${Field} label="Account" hint="* is all accounts." wrong=${wrong.of('account')} value=${values.account} onValue=${change('account')} required />`}
		<${Field} label="It ends" as="select" value=${values.expiresIn} onValue=${change('expiresIn')} options=${ends} wrong=${wrong.of('expiresIn')} />
		${wrong.rest}
		<div><button class="main" disabled=${act.busy}>Make it</button></div></form></${Dialog}>`;
}

function MakeLink({ close }) {
	const any = session.who.account === '*';
	const [values, set] = useState({ account: session.account || '', webhookId: '', expiresIn: '24h' });
	const [made, show] = useState(null);
	const change = (name) => (value) => set((v) => ({ ...v, [name]: value }));
	const act = useAct(async () => show(await ask('POST', 'portal-links', Object.fromEntries(Object.entries(values).filter(([name, value]) => value && (name !== 'account' || any))))));
	const wrong = wrongs(act, 'account', 'webhookId', 'expiresIn');
	if (made) {
		return html`<${Dialog} title="The link is made" close=${close}><p>Whoever has it sees the account’s webhooks and deliveries until <${Time} at=${made.expiresAt} />. It is shown this once.</p><p><code><${Foreign} text=${made.url} /></code></p><div class="row"><${Copy} text=${made.url} label="Copy the link" /><button class="main" onClick=${close}>Done</button></div></${Dialog}>`;
	}
	return html`<${Dialog} title="Portal link" close=${close}><form class="form" onSubmit=${(e) => { e.preventDefault(); act.run(); }}>
		<p class="muted">For a customer: webhooks, deliveries and event types of one account.</p>
		${any && html`<${Field} label="Account" wrong=${wrong.of('account')} value=${values.account} onValue=${change('account')} required />`}
		<${Field} label="Webhook" placeholder="whk_…" wrong=${wrong.of('webhookId')} value=${values.webhookId} onValue=${change('webhookId')} hint="The ID of the only one to show. Left empty, all of the account." />
		<${Field} label="It ends" as="select" value=${values.expiresIn} onValue=${change('expiresIn')} options=${[['1h', 'in an hour'], ['24h', 'in a day'], ['168h', 'in a week']]} wrong=${wrong.of('expiresIn')} />
		${wrong.rest}
		<div><button class="main" disabled=${act.busy}>Make it</button></div></form></${Dialog}>`;
}

// Account is where its owner is told of failed webhooks.
function Account() {
	const account = useLoad((signal) => get('account', { signal }), []);
	// Only what was typed is sent: the rest may have been changed elsewhere since it was read.
	const [typed, set] = useState({});
	const current = { name: account.data?.name ?? '', notifyEmail: (account.data?.notifyEmail ?? []).map((a) => a.address).join(' '), notifyUrl: account.data?.notifyUrl ?? '', notifySecret: '', ...typed };
	const change = (name) => (value) => set((t) => ({ ...t, [name]: value }));
	const [made, show] = useState('');
	const act = useAct(async () => {
		show('');
		const written = { name: (v) => v.trim() || null, notifyEmail: (v) => (v.trim() ? v.trim().split(/[\s,]+/) : null), notifyUrl: (v) => v.trim() || null, notifySecret: (v) => v || undefined };
		const { notifySecret, ...now } = await ask('PUT', 'account', Object.fromEntries(Object.entries(typed).map(([name, v]) => [name, written[name](v)])));
		account.set(now);
		show(notifySecret ?? '');
		// What was typed meanwhile stays.
		set((t) => Object.fromEntries(Object.entries(t).filter(([name, v]) => v !== typed[name])));
	});
	const wrong = wrongs(act, 'name', 'notifyEmail', 'notifyUrl', 'notifySecret');
	return html`<section class="card stack"><h2>Where failures are told</h2>${account.data === undefined ? html`<${Loaded} from=${account} />` : html`<form class="form" onSubmit=${(e) => { e.preventDefault(); act.run(); }}>
		<${Field} label="Name of the account" value=${current.name} onValue=${change('name')} wrong=${wrong.of('name')} />
		<${Field} label="E-mail addresses" value=${current.notifyEmail} onValue=${change('notifyEmail')} wrong=${wrong.of('notifyEmail')} hint="Five at most. One gets mail once the link in a first mail was opened." />
		${(account.data?.notifyEmail ?? []).map((a) => html`<span class="small"><${Foreign} text=${a.address} /> <span class=${'status ' + (a.confirmed ? 'good' : 'warn')}>${a.confirmed ? 'confirmed' : 'not confirmed'}</span></span>`)}
		<${Field} label="URL" placeholder="https://your-server.com/notices" value=${current.notifyUrl} onValue=${change('notifyUrl')} wrong=${wrong.of('notifyUrl')} hint="Gets the notices as signed deliveries." />
		${(current.notifyUrl || wrong.at === 'notifySecret') && html`<${Field} label="Secret" type="password" autocomplete="new-password" value=${current.notifySecret} onValue=${change('notifySecret')} wrong=${wrong.of('notifySecret')} hint="Signs them: 16 to 256 bytes. Left empty, the one there is stays, or one is made and shown once." />`}
		${wrong.rest}
		<div><button disabled=${act.busy || !Object.keys(typed).length}>Save</button></div>
		${made && html`<div class="note good" role="status"><p><b>The secret of these notices is shown this once.</b></p><p class="row"><code>${made}</code><${Copy} text=${made} /></p></div>`}</form>`}</section>`;
}
