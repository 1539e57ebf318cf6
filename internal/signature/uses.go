package signature

import "strings"

// UsesTimestamp reports whether a timestamp is judged, so that a tolerance means something.
func (v *Verifier) UsesTimestamp() bool {
	return v.described().timestamped() || v.row.info().Timestamp != ""
}

// UsesURL reports whether the public URL is signed.
func (v *Verifier) UsesURL() bool {
	if g, ok := v.scheme.(*generic); ok && g.payload.signsURL() {
		return true
	}
	return v.row.info().SignsURL || v.row.urls != nil
}

// listOptions says which options the scheme takes.
func (r *row) listOptions() string {
	var names []string
	for _, o := range optionHelp {
		if r.takesOption(o.name) {
			names = append(names, o.name)
		}
	}
	if len(names) == 0 {
		return "it takes none"
	}
	return "it takes " + strings.Join(names, ", ")
}
