// Times that a reader chose in their own zone, as the API takes them.
export function instant(local) {
	const at = local ? new Date(local) : null;
	return at && !Number.isNaN(at.getTime()) ? at.toISOString().replace(/\.\d+Z/, 'Z') : undefined;
}
