package signature

import (
	"net/url"
	"strings"
)

// checkURL refuses a public URL that no provider could have signed. Only some sign a user's name and password in it.
func (r *row) checkURL(public string) error {
	u, err := url.Parse(public)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || (u.User != nil && !r.userInfo) || u.Fragment != "" {
		return badOption("url", "give the whole public URL, such as https://hooks.example.com/webhooks")
	}
	return nil
}

// publicURL is the URL that the provider signed: the configured one, for proxies change scheme, host, port and path, with
// the request's own query where it has one, for providers add to it. A configured origin without a path takes the
// request's path too. target is a request target or a whole URL.
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
