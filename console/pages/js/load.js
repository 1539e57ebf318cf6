// Loading, with what a view shows meanwhile: a skeleton, an error with a button, more at a list's end.
import { useState, useEffect, useCallback, useRef } from '../vendor/htm-preact.js';

// useLoad asks once, and again by reload or every so many milliseconds while the tab is seen. What was there stays
// until the next answer is. What is long may be given in parts, which show up until the whole is there for the first time.
export function useLoad(ask, deps, every = 0) {
	const [state, set] = useState({});
	const [turn, again] = useState(0);
	const key = JSON.stringify(deps);
	useEffect(() => {
		const stop = new AbortController();
		const part = (data) => set((s) => (stop.signal.aborted || (s.key === key && s.data !== undefined && !s.partial) ? s : { key, data, partial: true }));
		Promise.resolve(ask(stop.signal, part)).then(
			(data) => { if (!stop.signal.aborted) set({ key, data }); },
			(error) => { if (!stop.signal.aborted) set((s) => ({ key, data: s.key === key ? s.data : undefined, error })); },
		);
		return () => stop.abort();
	}, [...deps, turn]);
	useEffect(() => {
		if (!every) return undefined;
		const timer = setInterval(() => { if (!document.hidden) again((n) => n + 1); }, every);
		return () => clearInterval(timer);
	}, [every]);
	// What belongs to other deps is never shown, not even until the next answer.
	const now = state.key === key ? state : {};
	return { data: now.data, partial: now.partial, error: now.error, reload: useCallback(() => again((n) => n + 1), []), set: (data) => set({ key, data }) };
}

// usePages reads a list page by page. Only a missing cursor ends it: a page may be short, even empty, so a few empty ones
// are passed over before the reader is asked to go on.
export function usePages(ask, deps) {
	const [state, set] = useState({ items: [], loading: true });
	const [turn, again] = useState(0);
	const run = useRef(0);
	const read = async (items, cursor, mine) => {
		set((s) => ({ ...s, items, cursor, loading: true, error: undefined }));
		try {
			for (let empty = 0; empty < 5; empty++) {
				const page = await ask(cursor);
				if (mine !== run.current) return;
				items = [...items, ...page.items];
				cursor = page.nextCursor;
				if (!cursor || page.items.length) break;
			}
			set({ items, cursor, loading: false });
		} catch (error) {
			if (mine === run.current) set({ items, cursor, loading: false, error });
		}
	};
	useEffect(() => {
		read([], undefined, ++run.current);
		return () => { run.current++; };
	}, [...deps, turn]);
	return { ...state, more: () => read(state.items, state.cursor, run.current), reload: () => again((n) => n + 1) };
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
