// Loading, with what a view shows meanwhile: a skeleton, an error with a button, more at a list's end.
import { useState, useEffect, useCallback, useRef } from '../vendor/htm-preact.js';
import { regularly } from './api.js';

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

// usePages reads a list page by page. Only a missing cursor ends it: a page may be short, even empty, so a few empty ones
// are passed over before the reader is asked to go on. Asked again, what was there stays until the first page is.
export function usePages(ask, deps) {
	const [state, set] = useState({});
	const [turn, again] = useState(0);
	const run = useRef(0);
	const key = JSON.stringify(deps);
	const now = state.key === key ? state : { items: [], loading: true };
	const read = async (items, cursor, mine) => {
		set((s) => ({ ...(s.key === key ? s : { key, items, cursor }), loading: true, error: undefined }));
		try {
			for (let empty = 0; empty < 5; empty++) {
				const page = await ask(cursor);
				if (mine !== run.current) return;
				items = [...items, ...page.items];
				cursor = page.nextCursor;
				if (!cursor || page.items.length) break;
			}
			set({ key, items, cursor, loading: false });
		} catch (error) {
			if (mine === run.current) set((s) => ({ ...s, loading: false, error }));
		}
	};
	useEffect(() => {
		read([], undefined, ++run.current);
		return () => { run.current++; };
	}, [...deps, turn]);
	return { ...now, more: () => read(now.items, now.cursor, run.current), reload: () => again((n) => n + 1) };
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
