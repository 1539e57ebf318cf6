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

// source is the text of a script in the folder lua.
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

// Script makes a script that works on the queue's keys. The functions of lib.lua that it uses are put in front of it. It is run by
// [Queue.Run], and its own arguments begin at ARGV[10].
func Script(lua string) *redisstore.Script {
	return redisstore.NewScript(withoutUnused(source("lib") + lua))
}

// withoutUnused leaves out the functions of a script that nothing in it names. Redis defines all of a script's functions anew in each call,
// which takes longer for those of lib.lua than the work of a short script.
//
// A function begins with "local function" at the start of a line, and ends with that line or with a line that is only "end". Only later
// parts of the script can name it, so one pass from the last part to the first finds all that are used.
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

// topLevel cuts a script into its functions and the single lines between them, and leaves out comment lines.
func topLevel(lua string) []string {
	var parts []string
	inFunction := false
	for line := range strings.Lines(lua) {
		if strings.HasPrefix(strings.TrimLeft(line, " "), "--") {
			continue
		}
		if inFunction {
			parts[len(parts)-1] += line
		} else {
			parts = append(parts, line)
			inFunction = strings.HasPrefix(line, functionBegins)
		}
		if line == "end\n" || strings.HasPrefix(line, functionBegins) && strings.HasSuffix(line, " end\n") {
			inFunction = false
		}
	}
	return parts
}
