package docstest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The packages that other programs import explain every exported name in whole sentences, show how they are used in an example, and have no
// type of an internal package in what they show: pkg.go.dev would show its name, and not what it is or does.
func TestPublicPackagesExplainThemselves(t *testing.T) {
	t.Parallel()
	for _, folder := range []string{"sender", "sender/api", "receiver", "store", "config", "client"} {
		t.Run(folder, func(t *testing.T) {
			t.Parallel()
			files, err := filepath.Glob(filepath.Join("../..", folder, "*.go"))
			require.NoError(t, err)
			names, examples := 0, 0
			for _, path := range files {
				text, err := os.ReadFile(path)
				require.NoError(t, err)
				if strings.HasSuffix(path, "_test.go") {
					examples += strings.Count(string(text), "\nfunc Example")
					continue
				}
				fs := token.NewFileSet()
				file, err := parser.ParseFile(fs, path, text, parser.ParseComments)
				require.NoError(t, err)
				internal := internalImports(file)
				for _, d := range file.Decls {
					for _, s := range exportedBy(d) {
						names++
						doc := strings.TrimSpace(s.doc)
						assert.NotEmpty(t, doc, "%s: %s has no comment", fs.Position(d.Pos()), s.name)
						if s.isWhole {
							first := strings.Fields(doc)[0]
							assert.True(t, first == s.name || first == "A" || first == "An", "%s: the comment of %s begins with its name", fs.Position(d.Pos()), s.name)
						}
						for _, part := range s.parts {
							ast.Inspect(part, func(n ast.Node) bool {
								of, ok := n.(*ast.SelectorExpr)
								if !ok {
									return true
								}
								if pkg, ok := of.X.(*ast.Ident); ok {
									assert.False(t, internal[pkg.Name], "%s: %s shows %s.%s, of an internal package", fs.Position(d.Pos()), s.name, pkg.Name, of.Sel.Name)
								}
								return true
							})
						}
					}
				}
			}
			require.Greater(t, names, 9)
			if folder != "config" { // nothing but values
				require.Positive(t, examples, "an example")
			}
		})
	}
}

// internalImports are the names by which a file calls internal packages.
func internalImports(file *ast.File) map[string]bool {
	names := map[string]bool{}
	for _, i := range file.Imports {
		path, _ := strconv.Unquote(i.Path.Value)
		if !strings.Contains(path, "/internal/") {
			continue
		}
		name := filepath.Base(path)
		if i.Name != nil {
			name = i.Name.Name
		}
		names[name] = true
	}
	return names
}

// declared is an exported name: its comment, which is its own or that of its group, and what of it is shown.
type declared struct {
	name, doc string
	isWhole   bool // the comment is about nothing else
	parts     []ast.Node
}

func exportedBy(d ast.Decl) (all []declared) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if !d.Name.IsExported() || d.Recv != nil && !ast.IsExported(receiverOf(d)) {
			return nil
		}
		return []declared{{d.Name.Name, d.Doc.Text(), true, []ast.Node{d.Type}}}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() {
					all = append(all, declared{s.Name.Name, s.Doc.Text() + d.Doc.Text(), len(d.Specs) == 1, fieldsOf(s.Type)})
				}
			case *ast.ValueSpec:
				for _, n := range s.Names {
					if n.IsExported() {
						v := declared{name: n.Name, doc: s.Doc.Text() + s.Comment.Text() + d.Doc.Text()}
						if s.Type != nil {
							v.parts = []ast.Node{s.Type}
						}
						all = append(all, v)
					}
				}
			}
		}
	}
	return all
}

// receiverOf is the name of a method's type.
func receiverOf(d *ast.FuncDecl) (name string) {
	ast.Inspect(d.Recv.List[0].Type, func(n ast.Node) bool {
		if i, ok := n.(*ast.Ident); ok && name == "" {
			name = i.Name
		}
		return true
	})
	return name
}

// fieldsOf are the types that a type shows: of a struct, those of its exported and embedded fields.
func fieldsOf(of ast.Expr) (shown []ast.Node) {
	s, ok := of.(*ast.StructType)
	if !ok {
		return []ast.Node{of}
	}
	for _, f := range s.Fields.List {
		isShown := len(f.Names) == 0
		for _, n := range f.Names {
			isShown = isShown || n.IsExported()
		}
		if isShown {
			shown = append(shown, f.Type)
		}
	}
	return shown
}
