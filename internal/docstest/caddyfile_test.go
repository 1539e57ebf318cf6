package docstest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/signature"
)

// sections are the parsers of options, by receiver and function, and the headings under which the reference has theirs.
var sections = map[string]string{
	"App.UnmarshalCaddyfile":    "webhooks",
	"Redis.readOption":          "redis",
	"Redis.readLocalOption":     "redis local",
	"RedisTLS.readOption":       "tls",
	"Sender.readOption":         "sender",
	"parseAPI":                  "webhook_api",
	"receiverParser.readOption": "webhook_receiver",
	"Dedup.readOption":          "dedup",
	"receiverParser.readQueue":  "queue",
}

// TestEveryOptionIsDocumented compares the options that the parsers take with those that docs/caddyfile.md lists.
func TestEveryOptionIsDocumented(t *testing.T) {
	t.Parallel()
	documented := documentedOptions(t)
	taken := takenOptions(t)
	require.Len(t, taken, len(sections), "parsers that were found: %v", slices.Sorted(maps.Keys(taken)))
	for parser, options := range taken {
		section, ok := sections[parser]
		require.True(t, ok, "%s reads options that no section of docs/caddyfile.md is known for", parser)
		require.ElementsMatch(t, options, documented[section], "section %s of docs/caddyfile.md", section)
	}

	schemes := map[string]bool{}
	for _, s := range signature.Schemes() {
		for _, o := range s.Options {
			schemes[o.Name] = true
		}
	}
	require.ElementsMatch(t, slices.Collect(maps.Keys(schemes)), documented["scheme"], "section scheme of docs/caddyfile.md")
}

var row = regexp.MustCompile("^\\| `([a-z_]+)")

// documentedOptions are the first words of the tables' rows, by heading.
func documentedOptions(t *testing.T) map[string][]string {
	t.Helper()
	list := map[string][]string{}
	section := ""
	for line := range strings.Lines(read(t, "docs/caddyfile.md")) {
		if name, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") {
			section = strings.TrimSpace(name)
		}
		if m := row.FindStringSubmatch(line); m != nil {
			list[section] = append(list[section], m[1])
		}
	}
	return list
}

// takenOptions are the words that the parsers in caddymodule switch on: the cases of `switch o.name`.
func takenOptions(t *testing.T) map[string][]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "caddymodule", "*.go"))
	require.NoError(t, err)
	list := map[string][]string{}
	set := token.NewFileSet()
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			ast.Inspect(f, func(n ast.Node) bool {
				s, ok := n.(*ast.SwitchStmt)
				if !ok || !isOptionName(s.Tag) {
					return true
				}
				for _, c := range s.Body.List {
					for _, word := range c.(*ast.CaseClause).List {
						text, err := strconv.Unquote(word.(*ast.BasicLit).Value)
						require.NoError(t, err)
						list[nameOf(f)] = append(list[nameOf(f)], text)
					}
				}
				return true
			})
		}
	}
	return list
}

func isOptionName(e ast.Expr) bool {
	s, ok := e.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	x, ok := s.X.(*ast.Ident)
	return ok && x.Name == "o" && s.Sel.Name == "name"
}

func nameOf(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return f.Name.Name
	}
	e := f.Recv.List[0].Type
	if star, ok := e.(*ast.StarExpr); ok {
		e = star.X
	}
	return e.(*ast.Ident).Name + "." + f.Name.Name
}
