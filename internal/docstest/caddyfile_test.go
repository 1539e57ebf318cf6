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
	"App.UnmarshalCaddyfile":   "webhooks",
	"Redis.options":            "redis",
	"Redis.localOptions":       "redis local",
	"RedisTLS.options":         "tls",
	"Sender.options":           "sender",
	"parseAPI":                 "webhook_api",
	"parseConsole":             "webhook_console",
	"receiverParser.options":   "webhook_receiver",
	"Dedup.options":            "dedup",
	"receiverParser.readQueue": "queue",
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

// takenOptions are the words that the parsers in caddymodule know: the keys of their blocks.
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
				block, ok := n.(*ast.CompositeLit)
				if !ok || !isBlock(block.Type) {
					return true
				}
				for _, option := range block.Elts {
					text, err := strconv.Unquote(option.(*ast.KeyValueExpr).Key.(*ast.BasicLit).Value)
					require.NoError(t, err)
					list[nameOf(f)] = append(list[nameOf(f)], text)
				}
				return true
			})
		}
	}
	return list
}

func isBlock(e ast.Expr) bool {
	name, ok := e.(*ast.Ident)
	return ok && name.Name == "block"
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
