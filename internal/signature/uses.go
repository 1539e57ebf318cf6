package signature

import "strings"

// UsesTimestamp reports whether the scheme checks a timestamp, so that a tolerance has an effect.
func (v *Verifier) UsesTimestamp() bool {
	return v.effectiveRow().timestamped() || v.row.info().Timestamp != ""
}

// UsesURL reports whether the scheme signs the public URL.
func (v *Verifier) UsesURL() bool {
	if g, ok := v.scheme.(*generic); ok && g.payload.signsURL() {
		return true
	}
	return v.row.info().SignsURL || v.row.urls != nil
}

// listOptions says which options the scheme has, as the end of an error message.
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
