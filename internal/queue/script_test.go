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
			script := withoutUnused(source("lib") + string(text))
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
`, withoutUnused(lua))
}
