// A day of one webhook in 48 small bars, asked for once it comes into view.
import { html } from './parts.js';
import { useState, useEffect, useRef } from '../vendor/htm-preact.js';
import { get, offers } from './api.js';

export function Spark({ id }) {
	const ref = useRef(null);
	const [buckets, set] = useState(null);
	useEffect(() => {
		if (!offers('GET /webhooks/{id}/stats')) return undefined;
		const stop = new AbortController();
		const seen = new IntersectionObserver((entries) => {
			if (!entries.some((e) => e.isIntersecting)) return;
			seen.disconnect();
			get(`webhooks/${id}/stats?window=24h`, { signal: stop.signal }).then((s) => set(s.buckets), () => {});
		});
		seen.observe(ref.current);
		return () => { seen.disconnect(); stop.abort(); };
	}, [id]);
	const most = Math.max(1, ...(buckets ?? []).map((b) => b.succeeded + b.failed));
	const sum = (of) => (buckets ?? []).reduce((n, b) => n + b[of], 0);
	return html`<svg ref=${ref} class="spark" viewBox="0 0 96 24" role="img" aria-label=${buckets ? `In a day ${sum('succeeded')} attempts succeeded and ${sum('failed')} failed` : 'No figures yet'}>
		<line class="base" x1="0" y1="23.5" x2="96" y2="23.5" />
		${(buckets ?? []).map((b, i) => {
			const good = (b.succeeded / most) * 22;
			const bad = (b.failed / most) * 22;
			const x = (i * 96) / buckets.length;
			return html`<rect class="ok" x=${x} y=${23 - good} width="1.5" height=${good} /><rect class="no" x=${x} y=${23 - good - bad} width="1.5" height=${bad} />`;
		})}</svg>`;
}
