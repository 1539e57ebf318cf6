package config

import (
	"net/url"
	"slices"
	"strconv"
)

// parseURL parses a URL. It returns false unless the URL has one of the schemes, a host, and a valid port or none.
func parseURL(text string, schemes ...string) (*url.URL, bool) {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || !slices.Contains(schemes, u.Scheme) || !portFits(u) {
		return nil, false
	}
	return u, true
}

// isWebURL reports whether a text is an http or https URL without a user.
func isWebURL(text string) bool {
	u, ok := parseURL(text, "http", "https")
	return ok && u.User == nil
}

// portFits reports whether the URL's port, where it has one, is from 1 to 65535: url.Parse takes any digits.
func portFits(u *url.URL) bool {
	if u.Port() == "" {
		return true
	}
	n, err := strconv.ParseUint(u.Port(), 10, 16)
	return err == nil && n > 0
}
