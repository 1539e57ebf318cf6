package signature

import "slices"

// described is the row of the verifier; the schemes for any provider have one of their own, which their options describe.
func (v *Verifier) described() *row {
	switch s := v.scheme.(type) {
	case *generic:
		return s.row
	case *jwtScheme:
		return s.row
	}
	return v.row
}

// EventHeader is the header in which the provider names an event's type; empty where the body does, or nothing.
func (v *Verifier) EventHeader() string {
	if s, ok := v.scheme.(*videoCloud); ok {
		return s.spelled()[1]
	}
	return v.described().eventHeader
}

// IDHeaders are the headers in which the provider gives an event's ID, the first that counts first; none where the body
// does, or nothing.
func (v *Verifier) IDHeaders() []string {
	return slices.DeleteFunc(slices.Clone(v.described().idHeaders), func(name string) bool { return name == "" })
}

// SignsForm reports whether the scheme signs a form by its fields.
func (v *Verifier) SignsForm() bool { return v.described().form != nil }

// SecretHeaders are the headers that hold the secret itself in requests of a scheme, or a token that stands for it. A scheme whose options
// name the header has none here: its verifier knows.
func SecretHeaders(scheme string) []string {
	if r, ok := table()[Canonical(scheme)]; ok {
		return r.secretHeaders()
	}
	return nil
}
