package console

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/binary"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/videocloud/webhooks/internal/gzipped"
)

//go:embed pages
var embedded embed.FS

// page is a file as it is sent.
type page struct {
	kind, tag, caching string
	plain, zipped      []byte
}

const (
	asked  = "no-cache"                            // kept, but never shown without asking whether it is still so
	always = "public, max-age=31536000, immutable" // what stands at this address never changes
)

// pages are all files by their path below the mount, compressed once. Those that the two pages name, and what these import,
// stand below the checksum of all: one address has one content for ever, and files of two versions never meet in one
// browser. A checksum of another version is not found, so that no cache keeps under it what was never its own.
var pages = sync.OnceValue(func() map[string]*page {
	contents, sum := embeddedPages()
	all := map[string]*page{}
	for name, content := range contents {
		if below, ok := strings.CutSuffix(name, "index.html"); ok {
			all["/"+below] = newPage(name, asked, namedFile.ReplaceAll(content, []byte("${1}"+sum+"/${2}")))
			continue
		}
		all["/"+sum+"/"+name] = newPage(name, always, content)
	}
	return all
})

// namedFile finds where a page names one of the files: the attribute with the way up to the mount, and the file's path.
var namedFile = regexp.MustCompile(`((?:href|src)="(?:\.\./)?)((?:css|js|vendor)/|icon\.svg")`)

// embeddedPages are the files by their path, and the checksum of all their paths and contents.
func embeddedPages() (contents map[string][]byte, sum string) {
	contents = map[string][]byte{}
	all := sha256.New()
	err := fs.WalkDir(embedded, "pages", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := embedded.ReadFile(name)
		if err != nil {
			return err
		}
		below := strings.TrimPrefix(name, "pages/")
		contents[below] = content
		for _, part := range [][]byte{[]byte(below), content} {
			all.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
			all.Write(part)
		}
		return nil
	})
	if err != nil {
		panic(err) // the files are part of the program
	}
	return contents, hex.EncodeToString(all.Sum(nil)[:10])
}

func newPage(name, caching string, content []byte) *page {
	sum := sha256.Sum256(content)
	kind := cmp.Or(kinds[path.Ext(name)], "text/plain; charset=utf-8")
	return &page{kind: kind, tag: hex.EncodeToString(sum[:12]), caching: caching, plain: content, zipped: gzipped.Bytes(content)}
}

func servePage(w http.ResponseWriter, r *http.Request, below string) {
	header := w.Header()
	p := pages()[below]
	if p == nil {
		// The next version may have what this one has not.
		header.Set("Cache-Control", "no-store")
		http.NotFound(w, r)
		return
	}
	header.Set("Content-Type", p.kind)
	header.Set("Cache-Control", p.caching)
	header.Set("Vary", "Accept-Encoding")
	content, tag := p.plain, p.tag
	if gzipped.Accepted(r.Header) {
		content, tag = p.zipped, p.tag+"-gzip"
		header.Set("Content-Encoding", "gzip")
	}
	// A range would be one of the compressed bytes, and a condition that fails an answer without the file: nobody asks a
	// script for either, and a cache on the way could keep them for good.
	for _, name := range []string{"Range", "If-Match"} {
		r.Header.Del(name)
	}
	header.Set("ETag", `"`+tag+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}
