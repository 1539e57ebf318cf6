package queue

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A script has all functions that it names, itself or by another, and no other of lib.lua.
func TestScriptsHaveTheFunctionsThatTheyName(t *testing.T) {
	t.Parallel()
	declared := regexp.MustCompile(`(?m)^local function (\w+)`)
	all := declared.FindAllStringSubmatch(source("lib"), -1)
	require.Greater(t, len(all), 40)
	left := 0
	for _, folder := range []string{".", "../../receiver", "../../sender/internal/registry"} {
		files, err := filepath.Glob(filepath.Join(folder, "lua", "*.lua"))
		require.NoError(t, err)
		for _, file := range files {
			if strings.HasSuffix(file, "/lib.lua") {
				continue
			}
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			script := strings.Join(withoutUnused(topLevel(source("lib")+string(text))), "")
			code := regexp.MustCompile(` -- .*`).ReplaceAllString(script, "")
			has := slices.Concat(declared.FindAllStringSubmatch(code, -1)...)
			for _, function := range all {
				name := regexp.MustCompile(`\b` + function[1] + `\b`)
				if slices.Contains(has, function[1]) {
					require.Greater(t, len(name.FindAllString(script, -1)), 1, "%s has %s, which nothing names", file, function[1])
				} else {
					require.NotRegexp(t, name, code, file)
					left++
				}
			}
		}
	}
	require.Greater(t, left, 1000, "most scripts need few functions of lib.lua")
}

func TestWithoutUnused(t *testing.T) {
	t.Parallel()
	const lua = `-- unused is told of in a comment
local function first(n) return n + 1 end
local function unused(n)
  if n then
    return first(n)
  end
end
  -- a comment within
local function second(n)
  return first(n)
end
if second(1) == 2 then
  return second_to_last
end
`
	require.Equal(t, `local function first(n) return n + 1 end
local function second(n)
  return first(n)
end
if second(1) == 2 then
  return second_to_last
end
`, strings.Join(withoutUnused(topLevel(lua)), ""))
}

func TestDeferSeldom(t *testing.T) {
	t.Parallel()
	const lua = `local base = KEYS[1]
local function shared() return base end
local function inner() return shared() end
local left = 2
local function part() return inner() .. left end
local function seldom(a)
  return part() .. a
end
local function often() return shared() end
if ARGV[1] then return seldom('x') end
return often()
`
	require.Equal(t, `local base = KEYS[1]
return (function()
local function shared() return base end
local left = 2
local seldom_called
local function define_seldom_called()
local function inner() return shared() end
local function part() return inner() .. left end
local function seldom(a)
  return part() .. a
end
seldom_called = { seldom }
end
local function seldom(...) if not seldom_called then define_seldom_called() end return seldom_called[1](...) end
local function often() return shared() end
if ARGV[1] then return seldom('x') end
return often()

end)()
`, strings.Join(nested(deferSeldom(topLevel(lua), []string{"seldom"})), ""))
	require.Equal(t, topLevel(lua), deferSeldom(topLevel(lua), nil))
}

// A function that is defined later sees the values between its place and its new one: none of these may have the name of another.
func TestDeferredFunctionsSeeTheSameValues(t *testing.T) {
	t.Parallel()
	seldom := []string{"f"}
	require.NotPanics(t, func() {
		deferSeldom(topLevel("local a = 1\nlocal function f() return a end\nlocal b, c = 1, 2\nf()\n"), seldom)
	})
	for _, lua := range []string{
		"local a = 1\nlocal function f() return a end\nlocal b, a = 1, 2\n",
		"local a = 1\nlocal function f() return a end\nlocal function a() return 1 end\n",
	} {
		require.PanicsWithValue(t, "a is declared twice in a script", func() { deferSeldom(topLevel(lua), seldom) })
	}
}

// A name that no function has, as after a renaming, would leave the others of its list undefined.
func TestDeferredFunctionsAreThere(t *testing.T) {
	t.Parallel()
	require.PanicsWithValue(t, "a script has no function g", func() {
		deferSeldom(topLevel("local function f() return 1 end\nf()\n"), []string{"f", "g"})
	})
}

func TestMostOfWhatIsSeldomNeededIsDefinedLater(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]struct {
		lua    string
		seldom []string
	}{"claim": {source("claim"), claimSeldom}, "settle": {source("figures") + source("settle"), settleSeldom}} {
		parts := withoutUnused(topLevel(source("lib") + s.lua))
		require.Less(t, len(deferSeldom(parts, s.seldom)), len(parts)-15, name)
	}
}
