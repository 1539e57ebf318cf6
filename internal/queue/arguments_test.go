package queue

import (
	"go/ast"
	"go/parser"
	"go/token"
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

// parts are Lua that stands in front of scripts or behind them, and no script of its own.
var parts = []string{"lib", "figures", "standing", "list_history", "list_events", "list_failed", "list_reply", "keys", "lanes"}

// withoutLib have no lib.lua in front: they know no shard, or run on keys of their own.
var withoutLib = []string{"heartbeat", "claims", "forget"}

// collected get arguments that are gathered before the call: a batch of claims, the keys of one node, a batch of counts.
var collected = []string{"claims", "forget", "received"}

// Each script gives its arguments names, once, where it begins; its header tells of each, and the Go function beside it hands in as many.
func TestScriptsNameTheirArguments(t *testing.T) {
	t.Parallel()
	for folder, scripts := range map[string]struct{ least, first int }{
		".": {16, 10}, "../../sender/internal/registry": {16, 10}, // behind those of lib.lua
		"../../receiver":    {8, 10},
		"../../caddymodule": {2, 1}, // no lib.lua stands in front of them
	} {
		handed := argumentsOf(t, folder)
		files, err := filepath.Glob(filepath.Join(folder, "lua", "*.lua"))
		require.NoError(t, err)
		require.GreaterOrEqual(t, len(files), scripts.least)
		for _, file := range files {
			name := strings.TrimSuffix(filepath.Base(file), ".lua")
			if slices.Contains(parts, name) {
				continue
			}
			t.Run(name, func(t *testing.T) {
				text, err := os.ReadFile(file)
				require.NoError(t, err)
				first := scripts.first
				if slices.Contains(withoutLib, name) {
					first = 1
				}
				named, rest := namedArguments(t, string(text))
				told, toldOfRest := toldArguments(string(text))
				for i := range named {
					assert.Equal(t, first+i, named[i], "arguments are named in their order, each once")
				}
				assert.Equal(t, named, told, "the header tells of each argument by ARGV[…]")
				assert.Equal(t, rest != 0, toldOfRest, "the header tells of what follows")
				if rest != 0 {
					assert.Equal(t, first+len(named), rest, "what follows begins behind what has a name")
				}
				if slices.Contains(collected, name) {
					return
				}
				require.NotEmpty(t, handed[name], "a Go function hands its arguments in")
				for _, n := range handed[name] {
					assert.Equal(t, len(named), n, "so many arguments come from Go")
				}
				// A push begins events, or goes on with one; gauges are of one shard, or of all that a node has.
				if name != "push" && name != "gauges" {
					assert.Len(t, handed[name], 1, "one Go function makes its arguments")
				}
			})
		}
	}
}

// namedArguments are those that a script reads by their number, all of them in lines that give them a name, and the place behind which all
// others are read; 0 where there are none.
func namedArguments(t *testing.T, lua string) (named []int, rest int) {
	byNumber, asList := regexp.MustCompile(`ARGV\[(\d+)\]`), regexp.MustCompile(`unpack\(ARGV, (\d+), (\d+)\)`)
	follow := regexp.MustCompile(`for i = (\d+)(?: \+ [a-z]+)?, #ARGV(?:, \d+)? do|unpack\(ARGV, (\d+)\)|local at = (\d+)(?: \+ .*)?$`)
	for line := range strings.Lines(lua) {
		code, _, _ := strings.Cut(strings.TrimRight(line, "\n"), "--")
		if m := asList.FindStringSubmatch(code); m != nil {
			from, _ := strconv.Atoi(m[1])
			to, _ := strconv.Atoi(m[2])
			for n := from; n <= to; n++ {
				named = append(named, n)
			}
		}
		for _, m := range byNumber.FindAllStringSubmatch(code, -1) {
			assert.True(t, strings.HasPrefix(code, "local ") || strings.HasPrefix(code, "for i = 1, tonumber("), "it gets a name first: %s", code)
			n, _ := strconv.Atoi(m[1])
			if n == 9 { // of lib.lua, once more as it came
				continue
			}
			named = append(named, n)
		}
		if m := follow.FindStringSubmatch(code); m != nil {
			n, _ := strconv.Atoi(m[1] + m[2] + m[3])
			if rest == 0 || n < rest {
				rest = n
			}
		}
	}
	slices.Sort(named)
	return named, rest
}

// toldArguments are those that a script's header tells of.
func toldArguments(lua string) (told []int, rest bool) {
	header, _, _ := strings.Cut(lua, "\n\n")
	for _, m := range regexp.MustCompile(`ARGV\[(\d+)(…)?(\d+)?\]`).FindAllStringSubmatch(header, -1) {
		from, _ := strconv.Atoi(m[1])
		to, err := strconv.Atoi(m[3])
		switch {
		case m[2] != "" && err != nil:
			rest = true
			continue
		case err != nil:
			to = from
		}
		for n := from; n <= to; n++ {
			told = append(told, n)
		}
	}
	slices.Sort(told)
	return told, rest
}

// argumentsOf counts, by the scripts' names, the arguments that a package's functions hand in, without those of lib.lua and
// without lists.
func argumentsOf(t *testing.T, folder string) map[string][]int {
	scripts, counts := map[string]string{}, map[string][]int{}
	var functions []*ast.FuncDecl
	for _, path := range goFiles(t, folder) {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				functions = append(functions, n)
			case *ast.ValueSpec:
				if len(n.Values) == 1 && strings.HasSuffix(n.Names[0].Name, "Script") {
					ast.Inspect(n.Values[0], func(value ast.Node) bool { // of several parts the last is the script
						if id, ok := value.(*ast.Ident); ok && strings.HasSuffix(id.Name, "Lua") {
							scripts[n.Names[0].Name] = fileOf(id.Name)
						}
						if l, ok := value.(*ast.BasicLit); ok {
							name, err := strconv.Unquote(l.Value)
							require.NoError(t, err)
							scripts[n.Names[0].Name] = name
						}
						return true
					})
				}
			}
			return true
		})
	}
	for _, f := range functions {
		lists := listsOf(f, functions)
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			for i, arg := range call.Args {
				name := ""
				switch arg := arg.(type) {
				case *ast.Ident:
					name = scripts[arg.Name]
				case *ast.CallExpr:
					if of, ok := arg.Fun.(*ast.SelectorExpr); ok && of.Sel.Name == "script" {
						name = "list" // in one of its forms
					}
				}
				if name == "" {
					continue
				}
				behind, count := call.Args[i+1:], 0
				if name == "heartbeat" || name == "received_read" {
					behind = behind[1:] // the tag
				}
				for _, a := range behind {
					if isTag(a) {
						continue
					}
					if call.Ellipsis.IsValid() || selected(call.Fun) == "call" {
						count += lists.count(a)
					} else {
						count++
					}
				}
				counts[name] = append(counts[name], count)
			}
			return true
		})
	}
	return counts
}

// fileOf is the script that a variable of the name has: receivedReadLua has received_read.
func fileOf(variable string) string {
	words := regexp.MustCompile("[A-Z]").ReplaceAllStringFunc(strings.TrimSuffix(variable, "Lua"), func(letter string) string {
		return "_" + strings.ToLower(letter)
	})
	return strings.TrimPrefix(words, "_")
}

// goFiles are the files of a package, without tests.
func goFiles(t *testing.T, folder string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(folder, "*.go"))
	require.NoError(t, err)
	return slices.DeleteFunc(paths, func(path string) bool { return strings.HasSuffix(path, "_test.go") })
}

func selected(fun ast.Expr) string {
	switch fun := fun.(type) {
	case *ast.SelectorExpr:
		return fun.Sel.Name
	case *ast.Ident:
		return fun.Name
	}
	return ""
}

// isTag is what a script's key is made with: q.tags(shard).
func isTag(e ast.Expr) bool {
	call, ok := e.(*ast.CallExpr)
	return ok && selected(call.Fun) == "tags"
}

// lists are how many single values the lists of a function hold.
type lists struct {
	byName    map[string]int
	functions []*ast.FuncDecl
}

func listsOf(f *ast.FuncDecl, functions []*ast.FuncDecl) *lists {
	l := &lists{byName: map[string]int{}, functions: functions}
	ast.Inspect(f.Body, func(n ast.Node) bool {
		a, ok := n.(*ast.AssignStmt)
		// What a loop appends is a list; what it declares is its own.
		if ok && len(a.Lhs) == len(a.Rhs) && (a.Tok == token.DEFINE || slices.Contains(f.Body.List, ast.Stmt(a))) {
			for i, to := range a.Lhs {
				if name, ok := to.(*ast.Ident); ok {
					l.byName[name.Name] = l.count(a.Rhs[i])
				}
			}
		}
		return true
	})
	return l
}

func (l *lists) count(e ast.Expr) int {
	switch e := e.(type) {
	case *ast.Ident:
		return l.byName[e.Name]
	case *ast.CompositeLit:
		return len(e.Elts)
	case *ast.CallExpr:
		switch name := selected(e.Fun); name {
		case "append":
			if e.Ellipsis.IsValid() {
				return l.count(e.Args[0])
			}
			return l.count(e.Args[0]) + len(e.Args) - 1
		case "argv":
			return l.count(e.Args[0])
		case "pushArgs":
			for _, f := range l.functions {
				if f.Name.Name == name {
					return listsOf(f, l.functions).byName["args"]
				}
			}
		}
	}
	return 0
}
