package docstest

import (
	"encoding/json"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/sender"
	"github.com/videocloud/webhooks/sender/api"
	"github.com/videocloud/webhooks/store"
)

// operation is what docs/api.md and the OpenAPI document both say of a request.
type operation struct {
	Status string
	Errors []string
	Query  []string
}

// TestAPIPage compares docs/api.md with the OpenAPI document.
func TestAPIPage(t *testing.T) {
	t.Parallel()
	described := describedOperations(t)
	shown := shownOperations(t)
	for name, want := range described {
		got, ok := shown[name]
		require.True(t, ok, "docs/api.md has no heading ### %s", name)
		require.Equal(t, want.Status, got.Status, name)
		require.ElementsMatch(t, want.Errors, got.Errors, "errors of %s", name)
		require.ElementsMatch(t, want.Query, got.Query, "parameters of %s", name)
	}
	require.Len(t, shown, len(described), "docs/api.md shows requests that there aren't")
}

// ofEvery are the errors that the page names once, for all requests.
var ofEvery = map[string]bool{"unauthorized": true, "forbidden": true, "unavailable": true, "invalid_field": true, "unknown_field": true}

var code = regexp.MustCompile("`([a-zA-Z_]+)`")

func describedOperations(t *testing.T) map[string]operation {
	t.Helper()
	store, err := store.Open(config.Redis{URL: config.Memory}, store.Options{})
	require.NoError(t, err)
	defer store.Close()
	s, err := sender.New(sender.Options{Store: store})
	require.NoError(t, err)
	h, err := api.New(api.Options{Service: s, Anonymous: true})
	require.NoError(t, err)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/openapi.json", nil))

	var document struct {
		Paths map[string]map[string]struct {
			Parameters []struct{ Name, In string }
			Responses  map[string]struct{ Description string }
		}
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &document))
	list := map[string]operation{}
	for path, methods := range document.Paths {
		for method, o := range methods {
			var made operation
			for status, r := range o.Responses {
				if status[0] == '2' {
					made.Status = status
				}
				for _, m := range code.FindAllStringSubmatch(r.Description, -1) {
					if !ofEvery[m[1]] {
						made.Errors = append(made.Errors, m[1])
					}
				}
			}
			for _, p := range o.Parameters {
				if p.In == "query" {
					made.Query = append(made.Query, p.Name)
				}
			}
			list[strings.ToUpper(method)+" "+path] = made
		}
	}
	require.NotEmpty(t, list)
	return list
}

var (
	request = regexp.MustCompile(`(?m)^### ([A-Z]+ /.*)$`)
	answers = regexp.MustCompile(`Answers (2\d\d)`)
	refuses = regexp.MustCompile(`(?m)^Errors: (.*)$`)
	takes   = regexp.MustCompile(`Takes (.*?)\.`)
)

func shownOperations(t *testing.T) map[string]operation {
	t.Helper()
	text := fenced.ReplaceAllString(read(t, "docs/api.md"), "")
	list := map[string]operation{}
	starts := request.FindAllStringSubmatchIndex(text, -1)
	for i, at := range starts {
		end := len(text)
		if i+1 < len(starts) {
			end = starts[i+1][0]
		}
		part := text[at[1]:end]
		var made operation
		if m := answers.FindStringSubmatch(part); m != nil {
			made.Status = m[1]
		}
		if m := refuses.FindStringSubmatch(part); m != nil {
			made.Errors = codes(m[1])
		}
		if m := takes.FindStringSubmatch(part); m != nil {
			made.Query = codes(m[1])
		}
		list[text[at[2]:at[3]]] = made
	}
	return list
}

func codes(text string) (list []string) {
	for _, m := range code.FindAllStringSubmatch(text, -1) {
		list = append(list, m[1])
	}
	return list
}
