// A day of one webhook in 48 small bars, asked for once it comes into view.
import { html } from './parts.js';
import { useState, useEffect, useRef } from '../vendor/htm-preact.js';
import { get, offers, route } from './api.js';

export function Spark({ id }) {
	const ref = useRef(null);
	const [buckets, set] = useState(null);
	useEffect(() => {
		if (!offers('GET /webhooks/{id}/stats')) return undefined;
		const stop = new AbortController();
		const seen = new IntersectionObserver((entries) => {
			if (!entries.some((e) => e.isIntersecting)) return;
			seen.disconnect();
			get(route`webhooks/${id}/stats?window=24h`, { signal: stop.signal }).then((s) => set(s.buckets), () => {});
		});
		seen.observe(ref.current);
		return () => { seen.disconnect(); stop.abort(); };
	}, [id]);
	const most = Math.max(1, ...(buckets ?? []).map((b) => b.succeeded + b.failed));
	// All bars of a kind are one element: a list has up to 200 of these pictures. Each stands on so much, and is so high.
	const bars = (of) => (buckets ?? []).map((b, i) => {
		const [foot, height] = of(b).map((n) => (n / most) * 22);
		return height ? `M${((i * 96) / buckets.length).toFixed(2)} ${(23 - foot).toFixed(2)}v${(-height).toFixed(2)}h1.5v${height.toFixed(2)}z` : '';
	}).join('');
	const sum = (of) => (buckets ?? []).reduce((n, b) => n + b[of], 0);
	return html`<svg ref=${ref} class="spark" viewBox="0 0 96 24" role="img" aria-label=${buckets ? `In a day ${sum('succeeded')} attempts succeeded and ${sum('failed')} failed` : 'No figures yet'}>
		<line class="base" x1="0" y1="23.5" x2="96" y2="23.5" />
		<path class="ok" d=${bars((b) => [0, b.succeeded])} /><path class="no" d=${bars((b) => [b.succeeded, b.failed])} /></svg>`;
}
