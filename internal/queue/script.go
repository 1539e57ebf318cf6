package queue

import (
	"embed"
	"slices"
	"strings"
	"unicode"

	"github.com/videocloud/webhooks/internal/redisstore"
)

//go:embed lua/*.lua
var sources embed.FS

func source(name string) string {
	b, err := sources.ReadFile("lua/" + name + ".lua")
	if err != nil {
		panic(err) // embedded: it can't be missing
	}
	return string(b)
}

var (
	pushScript   = Script(source("push"))
	claimScript  = Script(source("claim"))
	settleScript = Script(source("figures") + source("settle"))
	renewScript  = Script(source("renew"))
	resendScript = Script(source("resend"))
)

// Script makes a script of one's own over the queue's keys: what it needs of lib.lua is put in front of it, and it is called with
// [Queue.Run], its own arguments starting at ARGV[10].
func Script(lua string) *redisstore.Script {
	return redisstore.NewScript(withoutUnused(source("lib") + lua))
}

// withoutUnused leaves out of a script the functions that nothing in it names. Redis defines all of a script's functions anew in each call:
// those of lib.lua take it longer than what a short script does.
//
// A function begins with "local function" at the start of a line, and ends with that line or with a line that is "end". Only itself and what
// is behind it can name it, so one pass from the end to the beginning finds all.
func withoutUnused(lua string) string {
	parts := topLevel(lua)
	named := map[string]bool{}
	for i, part := range slices.Backward(parts) {
		words := strings.FieldsFunc(part, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		if strings.HasPrefix(part, functionBegins) && !named[words[2]] {
			parts[i] = ""
			continue
		}
		for _, word := range words {
			named[word] = true
		}
	}
	return strings.Join(parts, "")
}

const functionBegins = "local function "

// topLevel cuts a script into its functions and the lines between them, without lines that are comments.
func topLevel(lua string) []string {
	var parts []string
	inside := false // of a function
	for line := range strings.Lines(lua) {
		if strings.HasPrefix(strings.TrimLeft(line, " "), "--") {
			continue
		}
		if inside {
			parts[len(parts)-1] += line
		} else {
			parts = append(parts, line)
			inside = strings.HasPrefix(line, functionBegins)
		}
		if line == "end\n" || strings.HasPrefix(line, functionBegins) && strings.HasSuffix(line, " end\n") {
			inside = false
		}
	}
	return parts
}
