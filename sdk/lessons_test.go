package sdk_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/client"
)

// setting is a line of testdata/settings.json: what a client may be made with, and what it has to refuse.
type setting struct {
	Name    string  `json:"name"`
	APIKey  *string `json:"apiKey"`
	Account *string `json:"account"`
	BaseURL *string `json:"baseUrl"`
	Refused bool    `json:"refused"`
}

// The SDKs check alike, in the constructor, and never quote a key or an address: errors end up in logs.
func TestLesson59(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/settings.json")
	require.NoError(t, err)
	var settings []setting
	require.NoError(t, json.Unmarshal(text, &settings))

	compare := func(t *testing.T, said []*string) {
		t.Helper()
		require.Len(t, said, len(settings))
		for i, s := range settings {
			require.Equal(t, s.Refused, said[i] != nil, "%s is refused: %v", s.Name, s.Refused)
			if said[i] != nil {
				require.NotContains(t, *said[i], "hunter2", s.Name)
			}
		}
	}
	ask := func(t *testing.T, dir string, env []string, name string, args ...string) (said []*string) {
		t.Helper()
		cmd := command(t, dir, env, name, args...)
		cmd.Stdin = bytes.NewReader(text)
		var errors bytes.Buffer
		cmd.Stderr = &errors
		out, err := cmd.Output()
		require.NoError(t, err, errors.String())
		require.NoError(t, json.Unmarshal(out, &said))
		return said
	}

	t.Run("JavaScript", func(t *testing.T) {
		t.Parallel()
		dir := builtJavaScript(t)
		env := without(os.Environ(), "VIDEOCLOUD_")
		for _, built := range []string{"dist/esm/index.js", "dist/cjs/index.js"} {
			compare(t, ask(t, dir, env, "node", "../testdata/settings.mjs", built))
		}
	})
	t.Run("Python", func(t *testing.T) {
		t.Parallel()
		need(t, "python3")
		dir := copied(t, "python", "testdata")
		env := append(without(os.Environ(), "VIDEOCLOUD_"), "PYTHONPATH="+filepath.Join(dir, "python/src"))
		compare(t, ask(t, dir, env, "python3", "testdata/settings.py"))
	})
	t.Run("Go", func(t *testing.T) {
		t.Parallel()
		said := make([]*string, len(settings))
		for i, s := range settings {
			key, options := "your_api_key", []client.Option{client.WithBaseURL("https://a.example")}
			if s.APIKey != nil {
				key = *s.APIKey
			}
			if s.Account != nil {
				options = append(options, client.WithAccount(*s.Account))
			}
			if s.BaseURL != nil {
				options = append(options, client.WithBaseURL(*s.BaseURL))
			}
			if _, err := client.New(key, options...); err != nil {
				text := err.Error()
				said[i] = &text
			}
		}
		compare(t, said)
	})
}

// without is an environment without the variables of a prefix.
func without(environment []string, prefix string) (rest []string) {
	for _, v := range environment {
		if !strings.HasPrefix(v, prefix) {
			rest = append(rest, v)
		}
	}
	return rest
}

// Each language's own habits: a time without a zone, null and None to clear a field, an interface for data.
func TestLesson76(t *testing.T) {
	t.Parallel()
	t.Run("JavaScript", func(t *testing.T) {
		t.Parallel()
		dir := builtJavaScript(t)
		run(t, dir, startSystem(t).environment(), "node", "../testdata/habits.mjs", "dist/esm/index.js")
	})
	t.Run("TypeScript", func(t *testing.T) {
		t.Parallel()
		dir := builtJavaScript(t)
		run(t, dir, os.Environ(), "npm", "run", "check")
	})
	t.Run("Python", func(t *testing.T) {
		t.Parallel()
		need(t, "python3")
		dir := copied(t, "python", "testdata")
		env := startSystem(t).environment("PYTHONPATH="+filepath.Join(dir, "python/src"), "PYTHONDONTWRITEBYTECODE=1")
		run(t, dir, env, "python3", "testdata/habits.py")
	})
	t.Run("Go", func(t *testing.T) {
		t.Parallel()
		goHabits(t, startSystem(t).client)
	})
}
