package queue

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// scripts returns the text of every script of the product, without comments, by its path.
func scripts(t *testing.T) map[string]string {
	t.Helper()
	all, comment := map[string]string{}, regexp.MustCompile(`--.*`)
	const top = "../.."
	require.NoError(t, filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != top && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".lua"):
			return nil
		}
		b, err := os.ReadFile(path)
		all[path] = comment.ReplaceAllString(string(b), "")
		return err
	}))
	for _, folder := range []string{"internal/queue", "sender/internal/registry", "receiver", "caddymodule"} {
		of := 0
		for path := range all {
			if filepath.Dir(path) == filepath.Join(top, folder, "lua") {
				of++
			}
		}
		require.Greater(t, of, 1, folder)
	}
	return all
}

// spelled are the names of type Key that keys.go spells.
func spelled(t *testing.T) map[Key]bool {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "keys.go", nil, 0)
	require.NoError(t, err)
	keys := map[Key]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || len(v.Values) != 1 {
			return true
		}
		if of, ok := v.Type.(*ast.Ident); ok && of.Name == "Key" {
			name, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
			require.NoError(t, err)
			keys[Key(name)] = true
		}
		return true
	})
	require.Greater(t, len(keys), 40)
	return keys
}

func TestScriptsUseTheKeysOfOneFile(t *testing.T) {
	t.Parallel()
	keys := spelled(t)
	under := regexp.MustCompile(`(?:base|root|tag|source|target|shard|KEYS\[1\]|ARGV\[\d+\]) \.\. '([a-z:-]+)'`)
	for path, lua := range scripts(t) {
		for _, m := range under.FindAllStringSubmatch(lua, -1) {
			assert.True(t, keys[Key(m[1])], "%s uses the key %q, which keys.go does not spell", path, m[1])
		}
	}
}

func TestScriptsUseTheFieldsOfOneFile(t *testing.T) {
	t.Parallel()
	var fields []Field
	for _, of := range Fields {
		fields = append(fields, of...)
	}
	hashCall := regexp.MustCompile(`(?s)^'(H[A-Z]+|XADD)', (.*)`)
	literal := regexp.MustCompile(`'([^']*)'`)
	known := map[string][]string{ // what stands between quotes in such calls and is no field
		"HSET": {"active", "deleted", "0", "1", "2", "1000000", ":", "\\n"}, "XADD": {"*", "MAXLEN", "MINID", "~"}, "HSCAN": {"COUNT", "0"},
	}
	found, keys := 0, spelled(t)
	for path, lua := range scripts(t) {
		for _, called := range regexp.MustCompile(`p?call\(`).Split(lua, -1) {
			m := hashCall.FindStringSubmatch(arguments(called))
			if m == nil {
				continue
			}
			// What comes behind the key; a key's own name ends with a colon or is spelled in keys.go.
			for _, l := range literal.FindAllStringSubmatch(m[2], -1) {
				word := l[1]
				if slices.Contains(fields, word) {
					found++
					continue
				}
				if keys[Key(word)] || word == "" || slices.Contains(known[m[1]], word) || strings.HasPrefix(word, "H") {
					continue
				}
				assert.Fail(t, "a field that keys.go does not spell", "%s: %q in %s", path, word, m[0])
			}
		}
	}
	require.Greater(t, found, 100)
}

// arguments are those of a call whose opening parenthesis was before text, up to the one that closes it.
func arguments(text string) string {
	depth := 0
	for i, c := range text {
		switch c {
		case '(':
			depth++
		case ')':
			if depth--; depth < 0 {
				return text[:i]
			}
		}
	}
	return text
}

// Go code spells no key either: it asks keys.go.
func TestGoCodeSpellsNoKeys(t *testing.T) {
	t.Parallel()
	keys := spelled(t)
	for _, folder := range []string{".", "../../sender", "../../receiver", "../../caddymodule", "../../console", "../../bench"} {
		require.NoError(t, filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || path == "keys.go" {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			require.NoError(t, err)
			ast.Inspect(file, func(n ast.Node) bool {
				if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
					text, err := strconv.Unquote(l.Value)
					require.NoError(t, err)
					name, _, _ := strings.Cut(text, ":")
					_, is := keys[Key(text)]
					require.False(t, is && name != text && len(name) > 1, "%s spells the key %q: take it from internal/queue/keys.go", path, text)
				}
				return true
			})
			return nil
		}))
	}
}
