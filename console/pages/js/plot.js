// Attempts over time. The plotting library is fetched when the first plot is.
import { html, Choice, Loaded, Wrong, count, milliseconds } from './parts.js';
import { useEffect, useRef, useState } from '../vendor/htm-preact.js';
import { get, part, query } from './api.js';
import { useLoad } from './load.js';

export const windows = [['1h', '1 hour'], ['24h', '24 hours'], ['7d', '7 days']];

export function Attempts({ path, window: fixed, onData, times = false }) {
	const [own, pick] = useState('24h');
	const window = fixed ?? own;
	const stats = useLoad((signal) => get(path + query({ window }), { signal }), [path, window], 10000);
	useEffect(() => { if (stats.data) onData?.(stats.data); }, [stats.data]);
	return html`<div class="stack">${!fixed && html`<div class="row between"><${Choice} label="Time span" value=${own} onValue=${pick} options=${windows} /></div>`}
		<${Loaded} from=${stats} lines=${5}>${(s) => html`
			<p class="small"><span class="status good">${count(s.totals.succeeded)} succeeded</span> <span class=${'status ' + (s.totals.failed ? 'bad' : '')}>${count(s.totals.failed)} failed</span></p>
			${!s.totals.succeeded && !s.totals.failed ? html`<p class="muted">No attempt in this time.</p>` : html`<${Plot} label=${`Attempts by outcome: ${s.totals.succeeded} succeeded, ${s.totals.failed} failed`} data=${outcomes(s)} series=${[{ label: 'Succeeded', colour: '--good', bars: true }, { label: 'Failed', colour: '--bad', bars: true }]} />
			${times && html`<h3>Time to answer</h3><${Plot} label="Time to answer, half and 95 in 100" data=${durations(s)} unit=${milliseconds} series=${[{ label: 'p50', colour: '--accent' }, { label: 'p95', colour: '--warn', dash: [5, 4] }]} />`}`}`}</${Loaded}></div>`;
}

const at = (s) => s.buckets.map((b) => new Date(b.at) / 1000);
// Bars stand one on the other, the last series on top: it is drawn first, as the sum of all.
const outcomes = (s) => [at(s), s.buckets.map((b) => b.succeeded), s.buckets.map((b) => b.failed)];
const durations = (s) => [at(s), s.buckets.map((b) => b.p50Ms), s.buckets.map((b) => b.p95Ms)];

export function Plot({ data, series, label, unit = count }) {
	const box = useRef(null);
	const drawn = useRef(null);
	const now = useRef(data);
	const [failed, set] = useState(null);
	now.current = data;
	useEffect(() => {
		let gone = false;
		let plot = null;
		let sizes = null;
		let scheme = null;
		let scale = 1;
		const draw = (uPlot) => {
			plot?.destroy();
			// As it is computed: a canvas knows no variables.
			const colour = (name) => { box.current.style.color = `var(${name})`; return getComputedStyle(box.current).color; };
			// A canvas knows nothing of a rem either, of which usual screens have 15 pixels.
			scale = parseFloat(getComputedStyle(document.documentElement).fontSize) / 15;
			const axis = { space: 50 * scale, size: 50 * scale, stroke: colour('--muted'), grid: { stroke: colour('--line'), width: 1 }, ticks: { stroke: colour('--line'), width: 1 }, font: `${Math.round(12 * scale)}px ` + getComputedStyle(document.body).fontFamily };
			const stacked = series.every((s) => s.bars);
			const sums = ([x, ...all]) => [x, ...all.map((_, s) => x.map((_, i) => all.slice(0, s + 1).reduce((n, one) => n + one[i], 0))).reverse()];
			const shown = (d) => (stacked ? sums(d) : d);
			const order = stacked ? series.toReversed() : series;
			plot = new uPlot({
				width: Math.max(200, box.current.clientWidth), height: 220 * scale, cursor: { y: false },
				// The last part is as wide as the others.
				scales: { x: { range: (u, first, last) => [first, last + (now.current[0][1] - now.current[0][0])] }, y: { range: (u, low, high) => [0, Math.max(1, (high ?? 0) * 1.1)] } },
				axes: [axis, { ...axis, space: 30 * scale, size: 62 * scale, values: (u, ticks) => ticks.map((n) => (Number.isInteger(n) || unit !== count && n >= 10 ? unit(n) : '')) }],
				series: [{ value: (u, t) => (t ? new Date(t * 1000).toLocaleString() : '–') }, ...order.map((s, i) => ({
					label: s.label, stroke: colour(s.colour), fill: s.bars ? colour(s.colour) : undefined, width: s.bars ? 0 : 2, dash: s.dash, spanGaps: false, points: { show: !s.bars, size: 4 },
					paths: s.bars ? uPlot.paths.bars({ size: [0.8, 40], align: 1 }) : undefined,
					value: (u, v, j, k) => (v === null || v === undefined || k === null ? '–' : unit(stacked ? now.current[series.length - i][k] : v)),
				}))],
			}, shown(now.current), box.current);
			drawn.current = () => plot.setData(shown(now.current));
		};
		part(() => import('../vendor/uplot.js')).then(({ default: uPlot }) => {
			if (gone) return;
			draw(uPlot);
			sizes = new ResizeObserver(() => plot.setSize({ width: Math.max(200, box.current.clientWidth), height: 220 * scale }));
			sizes.observe(box.current);
			scheme = matchMedia('(prefers-color-scheme: dark)');
			scheme.onchange = () => draw(uPlot);
		}, (error) => { if (!gone) set(error); });
		return () => { gone = true; sizes?.disconnect(); if (scheme) scheme.onchange = null; plot?.destroy(); drawn.current = null; };
	}, []);
	useEffect(() => { drawn.current?.(); }, [data]);
	return html`<figure class="stack tight"><div class="plot" ref=${box} role="img" aria-label=${label}></div>${failed && html`<${Wrong} error=${failed} />`}</figure>`;
}
