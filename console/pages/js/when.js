// Times that a reader chose in their own zone, as the API takes them, and such a time as a field has it.
export function instant(local) {
	const at = local ? new Date(local) : null;
	return at && !Number.isNaN(at.getTime()) ? at.toISOString().replace(/\.\d+Z/, 'Z') : undefined;
}

export function local(instant) {
	const at = instant ? new Date(instant) : null;
	if (!at || Number.isNaN(at.getTime())) return '';
	const two = (n) => String(n).padStart(2, '0');
	const seconds = at.getSeconds() ? ':' + two(at.getSeconds()) : '';
	return `${String(at.getFullYear()).padStart(4, '0')}-${two(at.getMonth() + 1)}-${two(at.getDate())}T${two(at.getHours())}:${two(at.getMinutes())}${seconds}`;
}
