package signature

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSchemeOf(t *testing.T) {
	forEachScheme(t, func(t *testing.T, s *sample) {
		r := s.request(t, noon)
		if row, _ := find(s.Name); row.describedByOptions() {
			require.NotContains(t, DetectSchemes(r.Header, r.Body), s.Name)
			return
		}
		for _, name := range s.hints() {
			r.Header.Set(name, "x")
		}
		names := DetectSchemes(r.Header, nil)
		if s.Name == "okta" {
			require.NotContains(t, names, s.Name, "its header may hold anything")
			return
		}
		require.Contains(t, names, s.Name)
		if names[0] == "standard" {
			return // has those headers too
		}
		require.True(t, names[0] == s.Name || SameScore(r.Header, nil, names[0], s.Name), "%v", names)
	})
}

// hints are the headers that tell providers apart who share the one with the signature.
func (s *sample) hints() []string {
	switch s.Name {
	case "github", "github-sha1":
		return []string{"X-GitHub-Event"}
	case "bitbucket":
		return []string{"X-Event-Key", "X-Request-UUID"}
	case "bitbucket-server":
		return []string{"X-Event-Key", "X-Request-Id"}
	}
	return nil
}

func TestSchemeOfSharedHeaders(t *testing.T) {
	t.Parallel()
	sha256, sha1 := "sha256="+hexSum("key", "{}"), "sha1=b17e04cbb22afa8ffbff8796fc1894ed27badd9e"
	for name, c := range map[string]struct {
		headers http.Header
		want    []string
	}{
		"nothing":                {http.Header{"Content-Type": {"application/json"}}, []string{}},
		"GitHub or Meta":         {http.Header{"X-Hub-Signature-256": {sha256}}, []string{"github", "meta"}},
		"both GitHub headers":    {http.Header{"X-Hub-Signature-256": {sha256}, "X-Hub-Signature": {sha1}, "X-Github-Event": {"push"}}, []string{"github"}},
		"GitHub legacy":          {http.Header{"X-Hub-Signature": {sha1}, "X-Github-Event": {"push"}}, []string{"github-sha1"}},
		"SHA-1 and nothing else": {http.Header{"X-Hub-Signature": {sha1}}, []string{"github-sha1", "intercom"}},
		"SHA-256 in that header": {http.Header{"X-Hub-Signature": {sha256}}, []string{"bitbucket", "bitbucket-server"}},
		"X-Signature of 32":      {http.Header{"X-Signature": {sha256[7:]}}, []string{"lemonsqueezy"}},
		"X-Signature of 20":      {http.Header{"X-Signature": {sha1[5:]}, "Date": {"x"}}, []string{"scalr"}},
		"ours with the standard": {http.Header{"X-Videocloud-Signature": {sha256[7:]}, "Webhook-Id": {"1"}, "Webhook-Timestamp": {"1"}, "Webhook-Signature": {"v1," + b64Sum("key", "")}}, []string{"videocloud", "standard", "openai"}},
		"v1a":                    {http.Header{"Webhook-Signature": {"v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="}}, []string{"standard-v1a"}},
		"basic authentication":   {http.Header{"Authorization": {"Basic YTpi"}}, []string{}},
		"malformed, yet known":   {http.Header{"Stripe-Signature": {"nonsense"}}, []string{"stripe"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			names := DetectSchemes(c.headers, nil)
			if len(c.want) == 0 {
				require.Empty(t, names)
				return
			}
			require.GreaterOrEqual(t, len(names), len(c.want))
			require.Equal(t, c.want, names[:len(c.want)])
		})
	}
}

// TestSchemeOfBodies: where several providers send the same headers, the body decides.
func TestSchemeOfBodies(t *testing.T) {
	t.Parallel()
	sha256, sha1 := "sha256="+hexSum("key", "{}"), "sha1=b17e04cbb22afa8ffbff8796fc1894ed27badd9e"
	for name, c := range map[string]struct {
		headers http.Header
		body    string
		want    string
	}{
		"Meta":             {http.Header{"X-Hub-Signature-256": {sha256}}, `{"object":"page","entry":[]}`, "meta"},
		"not Meta":         {http.Header{"X-Hub-Signature-256": {sha256}}, `{"zen":"entry"}`, "github"},
		"GitHub says so":   {http.Header{"X-Hub-Signature-256": {sha256}, "X-Github-Event": {"x"}}, `{"entry":[]}`, "github"},
		"Intercom":         {http.Header{"X-Hub-Signature": {sha1}}, `{"type":"notification_event","topic":"user.created"}`, "intercom"},
		"Bitbucket Server": {http.Header{"X-Hub-Signature": {sha256}}, `{"eventKey":"repo:refs_changed"}`, "bitbucket-server"},
		"no document":      {http.Header{"X-Hub-Signature-256": {sha256}}, `{"entry":`, "github"},
		"an empty one":     {http.Header{"X-Hub-Signature-256": {sha256}}, "", "github"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, DetectSchemes(c.headers, []byte(c.body))[0])
			require.ElementsMatch(t, DetectSchemes(c.headers, nil), DetectSchemes(c.headers, []byte(c.body)))
		})
	}
}

// TestSchemeOfVectors names the scheme of every vector that is right.
func TestSchemeOfVectors(t *testing.T) {
	t.Parallel()
	folder := os.Getenv("WEBHOOK_VECTORS")
	if folder == "" {
		t.Skip("skipped: WEBHOOK_VECTORS does not name the folder with vectors.json")
	}
	for _, file := range []string{"vectors.json", "vectors-2.json"} {
		for _, v := range readVectors(t, filepath.Join(folder, file)) {
			r, ok := find(v.Scheme)
			require.True(t, ok, v.Scheme)
			request := v.request(t)
			names := DetectSchemes(request.Header, request.Body)
			for i := range presets {
				if presets[i].describedByOptions() {
					require.NotContains(t, names, presets[i].name, "%s: what options describe is no guess", v.ID)
				}
			}
			if !v.Valid || r.describedByOptions() || len(v.options()["header"]) > 0 {
				continue
			}
			require.Contains(t, names, r.name, v.ID)
			// Another provider is named first only where nothing tells the two apart.
			if first, _ := find(names[0]); first.name != r.name && first.name != "standard" {
				require.True(t, SameScore(request.Header, request.Body, first.name, r.name), "%s %v", v.ID, names)
			}
		}
	}
}
