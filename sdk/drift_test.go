package sdk_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/client"
)

// surface is testdata/operations.json: what the SDKs have. That each of them really has it, their own tests and the
// tests here check.
type surface struct {
	Operations []struct{ Method, Path, JavaScript, Python, Go string }
	Objects    []struct{ Schema, JavaScript, Python, Go string }
}

func readSurface(t *testing.T) (s surface) {
	t.Helper()
	text, err := os.ReadFile("testdata/operations.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &s))
	return s
}

// openAPI is the part of the API's document that the SDKs must follow.
type openAPI struct {
	Paths      map[string]map[string]json.RawMessage
	Components struct {
		Schemas map[string]struct {
			Properties map[string]struct{ ReadOnly bool }
		}
	}
}

func readOpenAPI(t *testing.T) (d openAPI) {
	t.Helper()
	resp, err := http.Get(startSystem(t).url + "/openapi.json")
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &d))
	return d
}

// members are the names of a schema's properties, but for those of a request that change nothing.
func (d openAPI) members(t *testing.T, schema string) (names []string) {
	t.Helper()
	require.Contains(t, d.Components.Schemas, schema)
	for name, property := range d.Components.Schemas[schema].Properties {
		if !property.ReadOnly {
			names = append(names, name)
		}
	}
	require.NotEmpty(t, names, schema)
	return names
}

func TestNoDriftOfOperations(t *testing.T) {
	t.Parallel()
	var documented, known []string
	for path, methods := range readOpenAPI(t).Paths {
		for method := range methods {
			documented = append(documented, strings.ToUpper(method)+" "+path)
		}
	}
	// The SDKs update by PUT, which changes only the fields given, as PATCH does.
	known = append(known, "PATCH /webhooks/{id}", "GET /openapi.json")
	for _, o := range readSurface(t).Operations {
		known = append(known, o.Method+" "+o.Path)
	}
	require.ElementsMatch(t, documented, known)
}

// The page's table is that of testdata/operations.json.
func TestNoDriftOfThePage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/sdks.md")
	require.NoError(t, err)
	var want []string
	for _, o := range readSurface(t).Operations {
		want = append(want, "| `"+o.Method+" "+o.Path+"` | `"+o.JavaScript+"` | `"+o.Python+"` | `"+o.Go+"` |")
	}
	var got []string
	for line := range strings.Lines(string(page)) {
		if regexp.MustCompile("^\\| `(GET|POST|PUT|DELETE) ").MatchString(line) {
			got = append(got, strings.TrimSuffix(line, "\n"))
		}
	}
	require.Equal(t, want, got)
}

func TestNoDriftOfGo(t *testing.T) {
	t.Parallel()
	types := map[string]reflect.Type{}
	for _, typ := range []reflect.Type{
		reflect.TypeFor[client.Webhook](), reflect.TypeFor[client.LastDelivery](), reflect.TypeFor[client.NewWebhook](),
		reflect.TypeFor[client.WebhookUpdate](), reflect.TypeFor[client.Event](), reflect.TypeFor[client.Published](),
		reflect.TypeFor[client.DeliveryRef](), reflect.TypeFor[client.EventRecord](), reflect.TypeFor[client.Delivery](),
		reflect.TypeFor[client.Attempt](), reflect.TypeFor[client.FilterTest](), reflect.TypeFor[client.ReplayRequest](), reflect.TypeFor[client.Replay](), reflect.TypeFor[client.EventType](),
		reflect.TypeFor[client.APIKey](), reflect.TypeFor[client.NewAPIKey](), reflect.TypeFor[client.PortalLink](), reflect.TypeFor[client.NewPortalLink](),
		reflect.TypeFor[client.Account](), reflect.TypeFor[client.AccountUpdate](), reflect.TypeFor[client.NotifyEmail](), reflect.TypeFor[client.Stats](), reflect.TypeFor[client.StatsBucket](),
	} {
		types[typ.Name()] = typ
	}
	// These are encoded by hand.
	byHand := map[string]string{"Event.Type": "event", "Event.Data": "data", "Event.ID": "id", "Event.Timestamp": "timestamp", "WebhookUpdate.SecretOverlap": "secretOverlap"}
	document := readOpenAPI(t)
	for _, o := range readSurface(t).Objects {
		require.Contains(t, types, o.Go)
		var names []string
		for i := range types[o.Go].NumField() {
			field := types[o.Go].Field(i)
			name := byHand[o.Go+"."+field.Name]
			if name == "" {
				name, _, _ = strings.Cut(field.Tag.Get("json"), ",")
			}
			if name != "-" { // a header
				names = append(names, name)
			}
		}
		require.ElementsMatch(t, document.members(t, o.Schema), names, "client.%s", o.Go)
	}
}

func TestNoDriftOfPython(t *testing.T) {
	t.Parallel()
	need(t, "python3")
	objects := readSurface(t).Objects
	args := []string{"testdata/surface.py"}
	for _, o := range objects {
		args = append(args, o.Python)
	}
	src := filepath.Join(copied(t, "python"), "python/src")
	out, err := command(t, ".", append(os.Environ(), "PYTHONPATH="+src), "python3", args...).Output()
	require.NoError(t, err)
	var names map[string][]string
	require.NoError(t, json.Unmarshal(out, &names))
	document := readOpenAPI(t)
	for _, o := range objects {
		require.ElementsMatch(t, document.members(t, o.Schema), names[o.Python], o.Python)
	}
}

func TestNoDriftOfJavaScript(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("javascript/src/models.ts")
	require.NoError(t, err)
	declared := regexp.MustCompile(`(?ms)^export interface (\w+)(?:<[^{]*?>)?(?: extends (?:Omit<)?(\w+)(?:, [^>]*>)?)? \{\n(.*?)^\}`)
	member := regexp.MustCompile(`(?m)^  (\w+)\??:`)
	names := map[string][]string{}
	for _, m := range declared.FindAllStringSubmatch(string(text), -1) {
		own := slices.Clone(names[m[2]])
		for _, field := range member.FindAllStringSubmatch(m[3], -1) {
			if !slices.Contains(own, field[1]) { // left out of what it extends, to be declared otherwise
				own = append(own, field[1])
			}
		}
		names[m[1]] = own
	}
	document := readOpenAPI(t)
	for _, o := range readSurface(t).Objects {
		if o.JavaScript != "" {
			require.ElementsMatch(t, document.members(t, o.Schema), names[o.JavaScript], o.JavaScript)
		}
	}
}

// TestNoDriftOfCodes: what the API says when it refuses, the SDKs name.
func TestNoDriftOfCodes(t *testing.T) {
	t.Parallel()
	read := func(path string) string {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		return string(text)
	}
	page, javaScript, goClient := read("../docs/api.md"), read("javascript/src/errors.ts"), read("../client/error.go")
	codes := regexp.MustCompile("(?m)^\\| [45]\\d\\d \\| `(\\w+)` \\|").FindAllStringSubmatch(page, -1)
	require.Greater(t, len(codes), 10)
	for _, code := range codes {
		require.Contains(t, javaScript, "| '"+code[1]+"'")
		require.Contains(t, goClient, `Code = "`+code[1]+`"`)
	}
}

// TestNoDriftOfLists: each list of the Go client that has pages has an iterator over all of them.
func TestNoDriftOfLists(t *testing.T) {
	t.Parallel()
	iterators := map[string]string{"List": "All", "Search": "SearchAll", "Deliveries": ""} // Webhooks.Deliveries is Deliveries.List
	c := reflect.TypeFor[client.Client]()
	for i := range c.NumField() {
		owner := c.Field(i).Type
		for j := range owner.NumMethod() {
			m := owner.Method(j)
			if m.Type.NumOut() != 2 || !strings.HasPrefix(m.Type.Out(0).Name(), "Page[") {
				continue
			}
			require.Contains(t, iterators, m.Name)
			if all := iterators[m.Name]; all != "" {
				_, has := owner.MethodByName(all)
				require.True(t, has, "%s has no %s", owner, all)
			}
		}
	}
}
