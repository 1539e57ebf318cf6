package destination

import "bytes"

// Body is the body of a request that [Transport.RoundTrip] may send again over another connection, where nothing of
// the request has left through the first. It takes the place of GetBody of [http.Request], with which net/http would
// repeat requests that an endpoint may already have read.
type Body struct {
	bytes.Reader
	content []byte
}

// NewBody returns a body of this content, which must not change while the request is made.
func NewBody(content []byte) *Body {
	b := &Body{content: content}
	b.Reset(content)
	return b
}

// Close implements io.Closer. It does nothing.
func (b *Body) Close() error { return nil }
