package destination

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/net/idna"
)

// MaxURLLength is the length of the longest URL accepted, in bytes.
const MaxURLLength = 2048

func unsafeURL(format string, args ...any) error {
	return &Error{Code: CodeUnsafeURL, Message: fmt.Sprintf(format, args...)}
}

func invalidURL(format string, args ...any) error {
	return &Error{Code: CodeInvalidField, Message: fmt.Sprintf(format, args...)}
}

// CheckURL parses a webhook's URL. It refuses, with an *[Error], whatever is seen to be wrong without
// resolving its name. It accepts a URL in one spelling only, so that nothing downstream can read it
// differently: ASCII without spaces and backslashes, a host that is a DNS name or an IP address in
// canonical form, no user info, no fragment. Internationalized names are accepted in their xn-- form.
func (p *Policy) CheckURL(raw string) (*url.URL, error) {
	u, err := parse(raw)
	if err != nil {
		return nil, err
	}
	switch {
	case u.Scheme == "http" && !p.AllowHTTP:
		return nil, unsafeURL("use https; http is not permitted here")
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, unsafeURL("use https; other schemes are not permitted")
	case u.User != nil:
		return nil, unsafeURL("remove the user info before the host; send credentials in a custom Authorization header")
	}
	port, err := portOf(u)
	if err != nil {
		return nil, err
	}
	if err := p.checkHost(u, port); err != nil {
		return nil, err
	}
	return u, nil
}

// parse reads an absolute URL with a host.
func parse(raw string) (*url.URL, error) {
	if raw == "" {
		return nil, invalidURL("give a URL such as https://example.com/webhooks")
	}
	if len(raw) > MaxURLLength {
		return nil, invalidURL("shorten the URL to at most %d bytes", MaxURLLength)
	}
	if strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f }) {
		return nil, invalidURL("percent-encode spaces, backslashes and control characters in the URL")
	}
	if strings.Contains(raw, "#") {
		return nil, invalidURL("remove the fragment (# and what follows), which is never sent")
	}
	u, err := url.Parse(raw)
	if escape := url.EscapeError(""); errors.As(err, &escape) {
		return nil, invalidURL("write a percent sign in the URL as %%25; %q is no escape", string(escape))
	}
	if err != nil || u.Opaque != "" || u.Scheme == "" || u.Host == "" {
		return nil, invalidURL("write an absolute URL such as https://example.com/webhooks")
	}
	if host := u.Hostname(); !isASCII(host) {
		if name, err := idna.Lookup.ToASCII(host); err == nil && strings.Contains(name, "xn--") {
			return nil, invalidURL("write the host in its ASCII form, %s", name)
		}
		return nil, invalidURL("write the host in ASCII, an internationalized name in its xn-- form")
	}
	if !isASCII(raw) {
		return nil, invalidURL("percent-encode everything in the URL that is not ASCII")
	}
	return u, nil
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII })
}

// portOf returns the port of u, which is its scheme's port where u has none.
func portOf(u *url.URL) (uint16, error) {
	text := u.Port()
	if text == "" {
		if strings.HasSuffix(u.Host, ":") {
			return 0, invalidURL("give a port after the colon, or remove the colon")
		}
		if u.Scheme == "http" {
			return 80, nil
		}
		return 443, nil
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 || text[0] == '0' {
		return 0, invalidURL("give a port between 1 and 65535, without leading zeros")
	}
	return uint16(port), nil
}

// checkHost checks the host of u without resolving it.
func (p *Policy) checkHost(u *url.URL, port uint16) error {
	host := u.Hostname()
	if strings.HasPrefix(u.Host, "[") {
		return p.checkIPv6(host, port)
	}
	if addr, err := netip.ParseAddr(host); err == nil && addr.Is4() {
		return p.checkAddr(netip.AddrPortFrom(addr, port))
	}
	if err := checkName(host); err != nil {
		return err
	}
	if isLoopbackName(host) {
		return p.checkLoopback(port)
	}
	return nil
}

// checkIPv6 checks a host that was written in brackets.
func (p *Policy) checkIPv6(host string, port uint16) error {
	addr, err := netip.ParseAddr(host)
	switch {
	case err != nil || !addr.Is6():
		return invalidURL("write an IPv6 address between the brackets")
	case addr.Zone() != "":
		return unsafeURL("remove the zone from the IPv6 address")
	case addr.Is4In6():
		return unsafeURL("write the IPv4 address %s itself, not its IPv4-mapped form", addr.Unmap())
	case addr.String() != host:
		return invalidURL("write the IPv6 address in its canonical form, [%s]", addr)
	}
	return p.checkAddr(netip.AddrPortFrom(addr, port))
}

// checkLoopback checks a name that can only mean this host: it is permitted where one of the two loopback addresses is.
func (p *Policy) checkLoopback(port uint16) error {
	if p.checkAddr(netip.AddrPortFrom(loopback6, port)) == nil {
		return nil
	}
	return p.checkAddr(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port))
}

// checkAddr checks an address. Its error is the same for all, so that it does not even reveal that an address is an admin
// address of this server.
func (p *Policy) checkAddr(a netip.AddrPort) error {
	if p.Allowed(a) != nil {
		return unsafeURL(NotPublic)
	}
	return nil
}

// checkName refuses what is not a DNS name. A name whose last label is a number is refused too: lenient
// parsers take it for an IPv4 address (2130706433, 0x7f.1, 0177.0.0.1).
func checkName(host string) error {
	if len(host) > 253 {
		return invalidURL("shorten the host to at most 253 characters")
	}
	if strings.HasSuffix(host, ".") {
		return invalidURL("remove the dot at the end of the host")
	}
	labels := strings.Split(host, ".")
	if slices.ContainsFunc(labels, func(label string) bool { return !dnsLabel.MatchString(label) }) {
		return invalidURL("write the host as a DNS name such as example.com, or as an IP address in canonical form")
	}
	if isNumber(labels[len(labels)-1]) {
		return unsafeURL("write the host as a DNS name, or an IPv4 address as four decimal numbers without leading zeros")
	}
	return nil
}

// dnsLabel matches a label of letters, digits, inner hyphens, and underscores, which are in use.
var dnsLabel = regexp.MustCompile(`^[0-9A-Za-z_]([0-9A-Za-z_-]{0,61}[0-9A-Za-z_])?$`)

// isNumber reports whether a label is decimal, octal, or hexadecimal after 0x.
func isNumber(label string) bool {
	digits, set := label, "0123456789"
	if len(label) >= 2 && (label[:2] == "0x" || label[:2] == "0X") {
		digits, set = label[2:], "0123456789abcdefABCDEF"
	}
	return strings.Trim(digits, set) == ""
}

// isLoopbackName reports whether a name is reserved for this host (RFC 6761), or is one that hosts files
// usually give to it.
func isLoopbackName(host string) bool {
	host = strings.ToLower(host)
	switch host {
	case "localhost", "localhost.localdomain", "localhost6", "localhost6.localdomain6", "ip6-localhost", "ip6-loopback":
		return true
	}
	return strings.HasSuffix(host, ".localhost")
}

// splitAddr splits an address that http.Transport asks to have dialled.
func splitAddr(address string) (host string, port uint16, err error) {
	host, text, err := net.SplitHostPort(address)
	n, bad := strconv.ParseUint(text, 10, 16)
	if err = cmp.Or(err, bad); err != nil {
		return "", 0, &DialError{Kind: KindConnect, Message: "connecting: the port is not valid", Err: err}
	}
	return host, uint16(n), nil
}
