package destination

import "bytes"

// Body is the body of a request that may have to be begun again on another connection, where nothing of the request
// has left through the first. It takes the place of GetBody of [http.Request], which would let net/http repeat
// requests that an endpoint may have read.
type Body struct {
	bytes.Reader
	content []byte
}

// NewBody returns a body to be read once.
func NewBody(content []byte) *Body {
	b := &Body{content: content}
	b.Reset(content)
	return b
}

// Close implements io.Closer.
func (b *Body) Close() error { return nil }
