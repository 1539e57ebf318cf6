package signature

import (
	"net/url"
	"strings"
)

// checkURL refuses a public URL that the provider can't have signed: one that is not http or https, has a fragment, or has a user's name
// although the row does not allow it.
func (r *row) checkURL(public string) error {
	u, err := url.Parse(public)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || (u.User != nil && !r.userInfo) || u.Fragment != "" {
		return badOption("url", "give the whole public URL, such as https://hooks.example.com/webhooks")
	}
	return nil
}

// publicURL returns the URL that the provider signed. It is the configured one, because proxies change scheme, host, port and path, with
// the request's own query where it has one, because providers add parameters. If the configured URL has no path, the request's path
// is added. target is a request target or a whole URL.
func publicURL(configured, target string) string {
	if i := strings.Index(target, "://"); i > 0 && target[0] != '/' {
		target = target[i+3:]
		if i = strings.IndexAny(target, "/?"); i < 0 {
			return configured
		}
		target = target[i:]
	}
	path, query, asked := strings.Cut(target, "?")
	base, own, _ := strings.Cut(configured, "?")
	if i := strings.Index(base, "://"); strings.IndexByte(base[i+3:], '/') < 0 && own == "" && path != "/" {
		base += path
	}
	switch {
	case asked:
		return base + "?" + query
	case own != "":
		return base + "?" + own
	}
	return base
}
