package destination

import (
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCheckURLTaken(t *testing.T) {
	t.Parallel()
	loopback := prefixes("127.0.0.0/8", "::1/128")
	for name, tt := range map[string]struct {
		policy Policy
		raw    string
	}{
		"the guide's":            {Policy{}, "https://your-server.com/webhooks"},
		"no path":                {Policy{}, "https://example.com"},
		"port":                   {Policy{}, "https://example.com:8443/a"},
		"query":                  {Policy{}, "https://example.com/a?token=x&b=%zz"},
		"escapes":                {Policy{}, "https://example.com/a%2Fb/%C3%BC"},
		"upper case":             {Policy{}, "HTTPS://Example.COM/A"},
		"underscore":             {Policy{}, "https://my_app.example.com/"},
		"punycode":               {Policy{}, "https://xn--bcher-kva.example/"},
		"numeric label":          {Policy{}, "https://1.2.3.4.example.com/"},
		"single label":           {Policy{}, "https://intranet/hook"},
		"hyphens":                {Policy{}, "https://r3---sn-x.example.com/"},
		"public address":         {Policy{}, "https://8.8.8.8/"},
		"public address 6":       {Policy{}, "https://[2606:4700:4700::1111]:443/"},
		"http where permitted":   {Policy{AllowHTTP: true}, "http://example.com/"},
		"https where http is":    {Policy{AllowHTTP: true}, "https://example.com/"},
		"localhost by CIDR":      {Policy{AllowHTTP: true, Allow: loopback}, "http://localhost:8090/webhooks"},
		"localhost by IPv6 CIDR": {Policy{Allow: prefixes("::1/128")}, "https://localhost/"},
		"under localhost":        {Policy{Allow: loopback}, "https://app.localhost/"},
		"loopback by CIDR":       {Policy{Allow: loopback}, "https://127.0.0.1:9/"},
		"loopback 6 by CIDR":     {Policy{Allow: loopback}, "https://[::1]/"},
		"private by name":        {Policy{AllowPrivate: true}, "https://10.0.0.1/"},
		"longest":                {Policy{}, "https://example.com/" + strings.Repeat("a", MaxURLLength-20)},
		"longest label":          {Policy{}, "https://" + strings.Repeat("a", 63) + ".com/"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u, err := tt.policy.CheckURL(tt.raw)
			require.NoError(t, err)
			want, err := url.Parse(tt.raw)
			require.NoError(t, err)
			require.Equal(t, want, u)
		})
	}
}

func TestCheckURLRefused(t *testing.T) {
	t.Parallel()
	private := Policy{AllowPrivate: true}
	for name, tt := range map[string]struct {
		policy Policy
		raw    string
		code   string
		says   string
	}{
		"empty":               {Policy{}, "", CodeInvalidField, "https://example.com"},
		"too long":            {Policy{}, "https://example.com/" + strings.Repeat("a", MaxURLLength-19), CodeInvalidField, "2048"},
		"not a URL":           {Policy{}, "example.com/webhooks", CodeInvalidField, "absolute"},
		"no scheme":           {Policy{}, "//example.com/", CodeInvalidField, "absolute"},
		"opaque":              {Policy{}, "https:example.com", CodeInvalidField, "absolute"},
		"no host":             {Policy{}, "https:///path", CodeInvalidField, "absolute"},
		"only a port":         {Policy{}, "https://:443/", CodeInvalidField, "DNS name"},
		"http":                {Policy{}, "http://example.com/", CodeUnsafeURL, "use https"},
		"ftp":                 {Policy{AllowHTTP: true}, "ftp://example.com/", CodeUnsafeURL, "use https"},
		"file":                {Policy{}, "file:///etc/passwd", CodeInvalidField, "absolute"},
		"gopher":              {Policy{AllowHTTP: true}, "gopher://example.com/", CodeUnsafeURL, "use https"},
		"unix":                {Policy{}, "unix//run/caddy.sock", CodeInvalidField, "absolute"},
		"user info":           {Policy{}, "https://user:hunter2@example.com/", CodeUnsafeURL, "user info"},
		"user":                {Policy{}, "https://user@example.com/", CodeUnsafeURL, "user info"},
		"empty user info":     {Policy{}, "https://@example.com/", CodeUnsafeURL, "user info"},
		"confusing user info": {Policy{}, "https://example.com:443@127.0.0.1/", CodeUnsafeURL, "user info"},
		"fragment":            {Policy{}, "https://example.com/#a", CodeInvalidField, "fragment"},
		"empty fragment":      {Policy{}, "https://example.com/#", CodeInvalidField, "fragment"},
		"space":               {Policy{}, "https://example.com/a b", CodeInvalidField, "percent-encode"},
		"leading space":       {Policy{}, " https://example.com/", CodeInvalidField, "percent-encode"},
		"line feed":           {Policy{}, "https://example.com/\n", CodeInvalidField, "percent-encode"},
		"carriage return":     {Policy{}, "https://example.com/\r\nHost: x", CodeInvalidField, "percent-encode"},
		"tab":                 {Policy{}, "https://exa\tmple.com/", CodeInvalidField, "percent-encode"},
		"NUL":                 {Policy{}, "https://example.com/\x00", CodeInvalidField, "percent-encode"},
		"backslash":           {Policy{}, `https://example.com\@127.0.0.1/`, CodeInvalidField, "percent-encode"},
		"bad escape":          {Policy{}, "https://example.com/%zz", CodeInvalidField, "escape"},
		"not ASCII":           {Policy{}, "https://example.com/ü", CodeInvalidField, "percent-encode"},
		"not UTF-8":           {Policy{}, "https://example.com/\xff", CodeInvalidField, "percent-encode"},
		"port 0":              {Policy{}, "https://example.com:0/", CodeInvalidField, "65535"},
		"port 65536":          {Policy{}, "https://example.com:65536/", CodeInvalidField, "65535"},
		"port, huge":          {Policy{}, "https://example.com:99999999999999999999/", CodeInvalidField, "65535"},
		"port, padded":        {Policy{}, "https://example.com:0443/", CodeInvalidField, "65535"},
		"port, empty":         {Policy{}, "https://example.com:/", CodeInvalidField, "colon"},
		"port, word":          {Policy{}, "https://example.com:https/", CodeInvalidField, ""},
		"port, sign":          {Policy{}, "https://example.com:-1/", CodeInvalidField, ""},
		"IDN":                 {Policy{}, "https://bücher.example/", CodeInvalidField, "xn--bcher-kva.example"},
		"IDN, encoded":        {Policy{}, "https://b%C3%BCcher.example/", CodeInvalidField, "xn--bcher-kva.example"},
		"full-width digits":   {Policy{}, "https://\uff11\uff12\uff17.0.0.\uff11/", CodeInvalidField, "ASCII"},
		"circled digits":      {Policy{}, "https://①②⑦.⓪.⓪.①/", CodeInvalidField, "ASCII"},
		"full stop":           {Policy{}, "https://127。0。0。1/", CodeInvalidField, "ASCII"},
		"encoded host":        {Policy{}, "https://%6c%6fcalhost/", CodeInvalidField, ""},
		"trailing dot":        {Policy{}, "https://example.com./", CodeInvalidField, "dot"},
		"localhost, dot":      {Policy{}, "https://localhost./", CodeInvalidField, "dot"},
		"empty label":         {Policy{}, "https://example..com/", CodeInvalidField, "DNS name"},
		"leading dot":         {Policy{}, "https://.example.com/", CodeInvalidField, "DNS name"},
		"only a dot":          {Policy{}, "https://./", CodeInvalidField, "dot"},
		"leading hyphen":      {Policy{}, "https://-a.example.com/", CodeInvalidField, "DNS name"},
		"trailing hyphen":     {Policy{}, "https://a-.example.com/", CodeInvalidField, "DNS name"},
		"asterisk":            {Policy{}, "https://*.example.com/", CodeInvalidField, "DNS name"},
		"long label":          {Policy{}, "https://" + strings.Repeat("a", 64) + ".com/", CodeInvalidField, "DNS name"},
		"long name":           {Policy{}, "https://" + strings.Repeat("a.", 127) + "com/", CodeInvalidField, "253"},
		"localhost":           {Policy{}, "https://localhost/", CodeUnsafeURL, NotPublic},
		"localhost, private":  {private, "https://LOCALHOST:8080/", CodeUnsafeURL, NotPublic},
		"under localhost":     {Policy{}, "https://a.localhost/", CodeUnsafeURL, NotPublic},
		"localdomain":         {Policy{}, "https://localhost.localdomain/", CodeUnsafeURL, NotPublic},
		"ip6-localhost":       {Policy{}, "https://ip6-localhost/", CodeUnsafeURL, NotPublic},
		"private":             {Policy{}, "https://10.0.0.1/", CodeUnsafeURL, NotPublic},
		"zone":                {Policy{}, "https://[fe80::1%25eth0]/", CodeUnsafeURL, "zone"},
		"IPv6, long form":     {Policy{}, "https://[2606:4700:4700:0:0:0:0:1111]/", CodeInvalidField, "[2606:4700:4700::1111]"},
		"IPv6, upper case":    {Policy{}, "https://[2A00::1]/", CodeInvalidField, "[2a00::1]"},
		"IPv6, no brackets":   {Policy{}, "https://2606:4700::1111/", CodeInvalidField, ""},
		"IPv4 in brackets":    {Policy{}, "https://[8.8.8.8]/", CodeInvalidField, ""},
		"name in brackets":    {Policy{}, "https://[example.com]/", CodeInvalidField, ""},
		"mapped":              {Policy{}, "https://[::ffff:8.8.8.8]/", CodeUnsafeURL, "8.8.8.8"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u, err := tt.policy.CheckURL(tt.raw)
			require.Nil(t, u)
			var e *Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, tt.code, e.Code, e.Message)
			require.Contains(t, e.Message, tt.says)
			require.NotContains(t, err.Error(), "hunter2")
		})
	}
}

func TestLesson12_SpellingsOfIPv4(t *testing.T) {
	t.Parallel()
	for _, host := range []string{
		"2130706433", "0x7f000001", "0X7F000001", "017700000001", "127.1", "127.0.1", "0177.0.0.1", "0x7f.0.0.1", "127.0.0.0x1",
		"127.0.0.01", "00127.0.0.1", "127.0.0.1.", "127.0.0.256", "127.0.0.0.1", "0", "0x", "0.0", "a.b.0x7f", "example.1", "3232235521", "0xA9FEA9FE",
		"1.1", "0x08080808", "010.8.8.8",
	} {
		_, err := (&Policy{Allow: prefixes("0.0.0.0/0")}).CheckURL("https://" + host + "/")
		var e *Error
		require.ErrorAs(t, err, &e, host)
	}
}

func TestLesson12_LiteralsNotPublic(t *testing.T) {
	t.Parallel()
	for name, addr := range notPublic {
		host := addr
		if strings.Contains(addr, ":") {
			host = "[" + strings.ReplaceAll(addr, "%", "%25") + "]"
		}
		_, err := (&Policy{}).CheckURL("https://" + host + "/")
		var e *Error
		require.ErrorAs(t, err, &e, name)
		if netip.MustParseAddr(addr).String() == addr {
			require.Equal(t, CodeUnsafeURL, e.Code, name)
		}
	}
}

func TestLesson28_CheckURL(t *testing.T) {
	t.Parallel()
	p := &Policy{
		AllowHTTP: true, Allow: prefixes("127.0.0.0/8", "::1/128"),
		Forbidden: func() []netip.AddrPort { return []netip.AddrPort{addrPort("127.0.0.1", 2019)} },
	}
	for _, host := range []string{"127.0.0.1:2019", "localhost:2019", "[::1]:2019", "127.0.0.2:2019", "a.localhost:2019"} {
		_, err := p.CheckURL("http://" + host + "/load")
		var e *Error
		require.ErrorAs(t, err, &e, host)
		require.Equal(t, CodeUnsafeURL, e.Code)
		require.Contains(t, e.Message, NotPublic)
	}
	_, err := p.CheckURL("http://localhost:8091/")
	require.NoError(t, err)

	// The port of the scheme counts where none is written.
	p.Forbidden = func() []netip.AddrPort { return []netip.AddrPort{addrPort("127.0.0.1", 80)} }
	_, err = p.CheckURL("http://127.0.0.1/load")
	require.Error(t, err)
	_, err = p.CheckURL("https://127.0.0.1/load")
	require.NoError(t, err)
}

func FuzzCheckURL(f *testing.F) {
	for _, raw := range []string{
		"https://example.com/webhooks?x=1", "http://localhost:8090/", "https://user:pass@example.com/", "https://0x7f.1/",
		"https://[::ffff:127.0.0.1]/", "https://[fe80::1%25eth0]:1/", "https://example.com:65536/#x", "https://b\u00fccher.example./", `https://a\b`,
		"https://8.8.8.8:53", "https://[2606:4700::1]:8443/%41", "//x", "https:x", "https://2130706433/", "https://[64:ff9b::7f00:1]/",
	} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		p := &Policy{}
		u, err := p.CheckURL(raw)
		if err != nil {
			require.Nil(t, u)
			var e *Error
			require.ErrorAs(t, err, &e)
			require.Contains(t, []string{CodeUnsafeURL, CodeInvalidField}, e.Code)
			require.NotEmpty(t, e.Message)
			return
		}
		require.LessOrEqual(t, len(raw), MaxURLLength)
		require.Equal(t, "https", u.Scheme)
		require.Nil(t, u.User)
		require.Empty(t, u.Fragment)
		if addr, err := netip.ParseAddr(u.Hostname()); err == nil {
			require.True(t, addr.IsGlobalUnicast() && !addr.IsPrivate() && !addr.IsLoopback())
			require.Equal(t, addr.String(), u.Hostname())
		} else {
			last := u.Hostname()[strings.LastIndex(u.Hostname(), ".")+1:]
			require.NotEmpty(t, strings.Trim(last, "0123456789"))
			require.NotContains(t, strings.ToLower(u.Hostname()), "localhost.")
		}
		// What is written out again means the same.
		if len(u.String()) <= MaxURLLength {
			again, err := p.CheckURL(u.String())
			require.NoError(t, err)
			require.Equal(t, u.Host, again.Host)
			require.Equal(t, u.RequestURI(), again.RequestURI())
		}
	})
}
