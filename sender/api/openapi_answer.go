package api

import (
	"bytes"
	"slices"
	"sync/atomic"

	"github.com/videocloud/webhooks/internal/gzipped"
)

// openAPI is the document before and after the URL of its server, which depends on the request.
type openAPI struct {
	before, after []byte
	guide         []delivered // the events of the guide that it shows
	compressed    atomic.Pointer[compressedDocument]
}

// compressedDocument is the document compressed to a tenth of its size, for the path that was asked for last: nearly always the
// same.
type compressedDocument struct {
	path string
	body []byte
}

// serverMark takes the place of the server's URL while the document is made; no text of ours contains it.
const serverMark = "\x00"

// documentAt returns the document for a server at a path.
func (o *openAPI) documentAt(path string) (rawAnswer, error) {
	if path == "" {
		path = "/"
	}
	buf := bytes.NewBuffer(make([]byte, 0, len(o.before)+len(path)+len(o.after)+16))
	buf.Write(o.before)
	err := encode(buf, path)
	buf.Write(o.after)
	return buf.Bytes(), err
}

// compressedAt is documentAt, compressed.
func (o *openAPI) compressedAt(path string) (rawAnswer, error) {
	if z := o.compressed.Load(); z != nil && z.path == path {
		return z.body, nil
	}
	plain, err := o.documentAt(path)
	if err != nil {
		return nil, err
	}
	z := &compressedDocument{path: path, body: gzipped.Bytes(plain)}
	o.compressed.Store(z)
	return z.body, nil
}

// document answers the OpenAPI document as it is now: the events of the guide in it may change. The pages of the console, which
// ask for it at each log-in, get it compressed; everybody else gets it plain, like any answer of the API.
func (c *call) document() (any, error) {
	guide := guideDeliveries(c.r.Context(), c.Service)
	d := c.openAPI.Load()
	if !slices.Equal(d.guide, guide) {
		var err error
		if d, err = c.describe(guide); err != nil {
			return nil, err
		}
		c.openAPI.Store(d)
	}
	if c.r.Header.Get(ConsoleHeader) == "" || !gzipped.Accepted(c.r.Header) {
		return d.documentAt(c.prefix())
	}
	answer, err := d.compressedAt(c.prefix())
	if err == nil {
		c.w.Header().Set("Content-Encoding", "gzip")
	}
	return answer, err
}
