package signature

import "slices"

// effectiveRow is the row that the verifier works by: the preset's, or one that the options have changed.
func (v *Verifier) effectiveRow() *row {
	switch s := v.scheme.(type) {
	case *generic:
		return s.row
	case *jwtScheme:
		return s.row
	}
	return v.row
}

// EventHeader returns the header in which the provider sends an event's type; empty if no header has it.
func (v *Verifier) EventHeader() string {
	if s, ok := v.scheme.(*videoCloud); ok {
		return s.documentedNames()[1]
	}
	return v.effectiveRow().eventHeader
}

// IDHeaders returns the headers in which the provider may send an event's ID, in the order in which they count; none if no header has it.
func (v *Verifier) IDHeaders() []string {
	return slices.DeleteFunc(slices.Clone(v.effectiveRow().idHeaders), func(name string) bool { return name == "" })
}

// SignsForm reports whether the scheme signs the fields of a form instead of the bytes of the body.
func (v *Verifier) SignsForm() bool { return v.effectiveRow().form != nil }

// SecretHeaders returns the headers that hold the secret itself in requests of a scheme, or a token that can be used like it. Where options
// name the header, ask [Verifier.SecretHeaders].
func SecretHeaders(scheme string) []string {
	if r, ok := table()[Canonical(scheme)]; ok {
		return r.secretHeaders()
	}
	return nil
}
