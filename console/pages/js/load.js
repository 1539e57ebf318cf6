// Loading, with what a view shows meanwhile: a skeleton, an error with a button, more at a list's end.
import { useState, useEffect, useCallback, useRef } from '../vendor/htm-preact.js';
import { get, regularly } from './api.js';

// useLoad asks once, and again by reload or every so many milliseconds after an answer while the tab is seen. What was
// there stays until the next answer is. What is long may be given in parts, which show up until the whole is there for the
// first time. This is the one place that asks regularly: what it asks by the clock is marked, see api.js.
export function useLoad(ask, deps, every = 0) {
	const [state, set] = useState({});
	const [turn, again] = useState({ regular: false });
	const age = useRef(0); // goes up with what is set from outside: an answer that was asked for before is older
	const key = JSON.stringify(deps);
	useEffect(() => {
		const stop = new AbortController();
		const mine = age.current;
		const counts = () => !stop.signal.aborted && mine === age.current;
		let timer;
		const later = () => { if (every && !stop.signal.aborted) timer = setTimeout(() => (document.hidden ? later() : again({ regular: true })), every); };
		if (turn.regular) regularly(stop.signal);
		const part = (data) => set((s) => (!counts() || (s.key === key && s.data !== undefined && !s.partial) ? s : { key, data, partial: true }));
		Promise.resolve(ask(stop.signal, part)).then(
			(data) => { if (counts()) set({ key, data }); },
			// 429 puts a question by the clock off: what is shown stays until the next one.
			(error) => { if (counts() && !(turn.regular && error.status === 429)) set((s) => ({ key, data: s.key === key ? s.data : undefined, error })); },
		).then(later);
		return () => { stop.abort(); clearTimeout(timer); };
	}, [...deps, turn]);
	// What belongs to other deps is never shown, not even until the next answer.
	const now = state.key === key ? state : {};
	return { data: now.data, partial: now.partial, error: now.error, reload: useCallback(() => again({ regular: false }), []), set: (data) => { age.current++; set({ key, data }); } };
}

// most is how many rows a list shows at once. Behind them stands the next sheet: what a browser holds of ten thousand rows is
// no more than what it holds of these.
export const most = 200;

// usePages reads a list page by page. Only a missing cursor ends it: a page may be short, even empty, so a few empty ones
// are passed over before the reader is asked to go on. Asked again, what was there stays until the first page is.
export function usePages(ask, deps) {
	const [state, set] = useState({});
	const [turn, again] = useState(0);
	const run = useRef(0);
	const key = JSON.stringify(deps);
	const now = state.key === key ? state : { items: [], starts: [{ row: 1 }], loading: true };
	// read adds to a sheet until it has so many rows. Starts are where the sheets up to this one begin.
	const read = async (to, { items, cursor, starts, turned }, mine) => {
		set((s) => ({ ...(s.key === key ? s : { key, items, cursor, starts }), loading: true, error: undefined }));
		try {
			for (let empty = 0; empty < 5;) {
				const page = await ask(cursor);
				if (mine !== run.current) return;
				items = [...items, ...page.items];
				cursor = page.nextCursor;
				if (!cursor || items.length >= to) break;
				empty = page.items.length ? 0 : empty + 1;
			}
			set({ key, items, cursor, starts, turned, loading: false });
		} catch (error) {
			if (mine === run.current) set((s) => ({ ...s, loading: false, error, retry: () => read(to, { items, cursor, starts, turned }, mine) }));
		}
	};
	useEffect(() => {
		read(1, { items: [], starts: [{ row: 1 }] }, ++run.current);
		return () => { run.current++; };
	}, [...deps, turn]);
	const { row } = now.starts.at(-1);
	const full = now.items.length >= most;
	const sheet = (to, starts, turned = starts) => () => read(to, { items: [], cursor: starts.at(-1).cursor, starts, turned }, run.current);
	return {
		...now, row, reload: () => again((n) => n + 1),
		// What was changed in a sheet leaves its reader there.
		reread: sheet(Math.max(1, now.items.length), now.starts, now.turned ?? null),
		more: now.cursor && !full && (() => read(now.items.length + 1, now, run.current)),
		next: now.cursor && full && sheet(1, [...now.starts, { cursor: now.cursor, row: row + now.items.length }]),
		previous: now.starts.length > 1 && sheet(row - now.starts.at(-2).row, now.starts.slice(0, -1)),
	};
}

// useSheets shows a list that is there as a whole in the same way.
export function useSheets(all, deps) {
	const [at, set] = useState({ first: 0 });
	const key = JSON.stringify(deps);
	const wanted = at.key === key ? at.first : 0;
	const first = Math.min(wanted, Math.floor(Math.max(0, all.length - 1) / most) * most);
	const turn = (to) => () => set({ key, first: to, turned: {} });
	return {
		items: all.slice(first, first + most), row: first + 1, total: all.length, turned: at.key === key ? at.turned : undefined,
		next: first + most < all.length && turn(first + most), previous: first > 0 && turn(first - most),
	};
}

// useAct runs what a button does, once at a time, and keeps what went wrong.
export function useAct(act) {
	const [state, set] = useState({});
	const there = useRef(true);
	useEffect(() => () => { there.current = false; }, []);
	const run = async (...args) => {
		if (state.busy) return;
		set({ busy: true });
		try {
			await act(...args);
			if (there.current) set({});
		} catch (error) {
			if (there.current) set({ error });
		}
	};
	return { ...state, run, clear: () => set((s) => (s.error ? {} : s)) };
}

// allWebhooks reads every page: an account has 1,000 at most.
export async function allWebhooks(signal, part) {
	let items = [];
	for (let cursor; ;) {
		const page = await get('webhooks?limit=100' + (cursor ? '&cursor=' + encodeURIComponent(cursor) : ''), { signal });
		items = items.concat(page.items);
		cursor = page.nextCursor;
		if (!cursor) return items;
		part?.(items);
	}
}
