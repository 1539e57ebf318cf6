// Package console serves the operator's console and the customers' portal: pages that speak the REST API with the key
// that was typed in, so that every right is the API's.
//
//	GET <mount>/            the console
//	GET <mount>/portal/     the portal: the same code with fewer views
//	POST <mount>/portal/    ends mail to an address, for programs that read mail; see [Options.Unsubscribe]
//	    <mount>/api/…       what the API does not have; see [Options.Inside]
//	GET <mount>/theme/…     portal.css and logo.svg of the operator's own
//	GET <mount>/<sum>/…     the files of both, below the checksum of all: a browser keeps them for good
//
// What stands in the folder pages is what is served: there is no build step, and nothing is fetched from elsewhere. Only the
// two pages are changed on the way: the checksum is put in front of the files that they name.
package console

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// DefaultMount is where the console stands unless said otherwise.
const DefaultMount = "/console"

// Options are the settings of the console.
type Options struct {
	// Mount is the path below which it is served. Defaults to /console.
	Mount string
	// Theme is a folder with portal.css and logo.svg, either of which may be absent. Defaults to none.
	Theme string
	// EmbedPortal are the origins whose pages may show the portal in a frame. Defaults to none.
	EmbedPortal []string
	// Inside answers what is asked below <mount>/api/; its requests' paths begin there. Defaults to 404.
	Inside http.Handler
	// Unsubscribe does what the link with a token is for that each mail has, and answers. Defaults to 404.
	Unsubscribe func(w http.ResponseWriter, r *http.Request, token string)
}

var (
	mountPath = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)+$`)
	origin    = regexp.MustCompile(`^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?$|^https?://\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?$`)
)

type handler struct {
	Options
	portalPolicy string
}

// New makes the console's handler. An error names the option at fault.
func New(o Options) (http.Handler, error) {
	if o.Mount == "" {
		o.Mount = DefaultMount
	}
	if !mountPath.MatchString(o.Mount) || path.Clean(o.Mount) != o.Mount {
		return nil, fmt.Errorf("mount: %q is not a path; write it like /console, without a slash at the end", o.Mount)
	}
	for _, from := range o.EmbedPortal {
		if !origin.MatchString(from) {
			return nil, fmt.Errorf("embed_portal: %q is not an origin; write it like https://app.example.com", from)
		}
	}
	if o.Theme != "" {
		if info, err := os.Stat(o.Theme); err != nil || !info.IsDir() {
			return nil, fmt.Errorf("theme: %q is not a folder that can be read", o.Theme)
		}
	}
	if o.Inside == nil {
		o.Inside = http.NotFoundHandler()
	}
	if o.Unsubscribe == nil {
		o.Unsubscribe = func(w http.ResponseWriter, r *http.Request, _ string) { http.NotFound(w, r) }
	}
	h := &handler{Options: o, portalPolicy: policy("'none'")}
	if len(o.EmbedPortal) > 0 {
		h.portalPolicy = policy(strings.Join(o.EmbedPortal, " "))
	}
	return h, nil
}

// policy is the Content-Security-Policy of a page that these may show in a frame.
func policy(ancestors string) string {
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors " + ancestors
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	below, ok := strings.CutPrefix(r.URL.Path, h.Mount)
	if !ok || below != "" && below[0] != '/' {
		http.NotFound(w, r)
		return
	}
	h.secure(w.Header(), below)
	switch {
	case below == "":
		redirect(w, r, path.Base(h.Mount)+"/")
	case r.Method == http.MethodPost && (below == "/portal" || below == "/portal/"):
		h.oneClick(w, r) // no redirect: who asks would not follow it
	case below == "/portal":
		redirect(w, r, "portal/")
	case strings.HasPrefix(below, "/api/"):
		h.inside(w, r, strings.TrimPrefix(below, "/api"))
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	case strings.HasPrefix(below, "/theme/"):
		h.theme(w, r, strings.TrimPrefix(below, "/theme/"))
	default:
		servePage(w, r, below)
	}
}

// secure sets the headers of every answer.
func (h *handler) secure(header http.Header, below string) {
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	if strings.HasPrefix(below, "/portal/") && len(h.EmbedPortal) > 0 {
		header.Set("Content-Security-Policy", h.portalPolicy)
		return
	}
	header.Set("Content-Security-Policy", policy("'none'"))
	header.Set("X-Frame-Options", "DENY")
}

// redirect goes to a path relative to that of the request, so that a prefix in front of the mount stays. The query
// stays too: ?theme= may stand in it.
func redirect(w http.ResponseWriter, r *http.Request, to string) {
	w.Header().Set("Location", (&url.URL{Path: to, RawQuery: r.URL.RawQuery}).String())
	w.WriteHeader(http.StatusPermanentRedirect)
}

func (h *handler) inside(w http.ResponseWriter, r *http.Request, below string) {
	inner := r.Clone(r.Context())
	inner.URL.Path, inner.URL.RawPath = below, ""
	h.Inside.ServeHTTP(w, inner)
}

// kinds are the Content-Types of the files by their endings. The machine's own table may say otherwise.
var kinds = map[string]string{
	".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".html": "text/html; charset=utf-8",
	".svg": "image/svg+xml", ".json": "application/json",
}

const (
	themeStyles = "portal.css"
	themeLogo   = "logo.svg"
)

// theme serves a file of the theme; nothing else in its folder is ever read. A portal.css that is not there is empty: the portal
// always asks for it.
func (h *handler) theme(w http.ResponseWriter, r *http.Request, name string) {
	if name != themeStyles && name != themeLogo {
		http.NotFound(w, r)
		return
	}
	var content []byte
	err := fs.ErrNotExist
	if h.Theme != "" {
		content, err = os.ReadFile(filepath.Join(h.Theme, name))
	}
	if err != nil && (name != themeStyles || !errors.Is(err, fs.ErrNotExist)) {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", kinds[path.Ext(name)])
	w.Header().Set("Cache-Control", "no-cache")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}
