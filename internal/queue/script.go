package queue

import (
	"embed"
	"fmt"
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

// Functions that most calls of a script do not call.
var (
	claimSeldom  = []string{"take_back", "look_through"} // a lease that ran out, a lane whose waiting jobs are looked at
	settleSeldom = []string{"settle_one"}                // an outcome that is no plain success
)

var (
	pushScript   = Script(source("push"))
	claimScript  = Script(source("claim"), claimSeldom...)
	settleScript = Script(source("figures")+source("settle"), settleSeldom...)
	renewScript  = Script(source("renew"))
	resendScript = Script(source("resend"))
)

// Script makes a script that works on the queue's keys. The functions of lib.lua that it uses are put in front of it. It is run by
// [Queue.Run], and its own arguments begin at ARGV[10]. seldom names functions of it that most calls do not call, see deferSeldom.
//
// Redis defines all of a script's functions anew in each call, which takes longer than the commands of a short script. So only those are
// defined that the call may need, and in a way that costs little.
func Script(lua string, seldom ...string) *redisstore.Script {
	parts := withoutUnused(topLevel(source("lib") + lua))
	return redisstore.NewScript(strings.Join(nested(deferSeldom(parts, seldom)), ""))
}

// withoutUnused leaves out the functions of a script that nothing in it names.
func withoutUnused(parts []string) []string {
	unused := onlyFor(parts, nil)
	return slices.DeleteFunc(slices.Clone(parts), func(part string) bool { return unused[functionName(part)] })
}

// onlyFor returns the names of some functions of a script and of all that nothing but these, and each other, names. Only later parts of a
// script can name a function, so one pass from the last part to the first finds them.
func onlyFor(parts, functions []string) map[string]bool {
	only, named := map[string]bool{}, map[string]bool{} // named by what is not only for these
	for _, name := range functions {
		only[name] = true
	}
	for _, part := range slices.Backward(parts) {
		name := functionName(part)
		if name != "" && !named[name] {
			only[name] = true
		}
		if !only[name] {
			for _, word := range wordsOf(part) {
				named[word] = true
			}
		}
	}
	return only
}

// deferSeldom has the functions that seldom names, and all that nothing but these and each other name, defined by the first call of one of
// them. All are put in the place of the last that seldom names, so what lies between may not call the others, and no value may be declared
// twice: a function would see another in its new place.
func deferSeldom(parts, seldom []string) []string {
	if len(seldom) == 0 {
		return parts
	}
	if twice := declaredTwice(parts); twice != "" {
		panic(twice + " is declared twice in a script")
	}
	for _, name := range seldom {
		if !slices.ContainsFunc(parts, func(part string) bool { return functionName(part) == name }) {
			panic("a script has no function " + name)
		}
	}
	deferred := onlyFor(parts, seldom)
	var rest []string
	definitions := ""
	for _, part := range parts {
		name := functionName(part)
		if !deferred[name] {
			rest = append(rest, part)
			continue
		}
		definitions += part
		if name == seldom[len(seldom)-1] {
			rest = append(rest, "local "+functionsTable+"\n"+functionBegins+defines+"()\n"+definitions+functionsTable+" = { "+strings.Join(seldom, ", ")+" }\nend\n")
			for k, name := range seldom {
				rest = append(rest, fmt.Sprintf(functionBegins+"%[1]s(...) if not %[2]s then %[3]s() end return %[2]s[%[4]d](...) end\n", name, functionsTable, defines, k+1))
			}
		}
	}
	return rest
}

// Names of what deferSeldom adds to a script.
const functionsTable, defines = "seldom_called", "define_seldom_called"

// nested puts all from the first function on into a function of its own. What functions use of the values before them is then a value of the
// function around them, and found at once; else Redis looks for each among all that the script's functions use, for each function.
func nested(parts []string) []string {
	first := slices.IndexFunc(parts, func(part string) bool { return functionName(part) != "" })
	if first < 0 {
		return parts
	}
	return slices.Concat(parts[:first], []string{"return (function()\n"}, parts[first:], []string{"\nend)()\n"})
}

// declaredTwice is a name that a script declares twice outside of its functions, "" where there is none.
func declaredTwice(parts []string) string {
	declared := map[string]bool{}
	for _, part := range parts {
		names, isLocal := strings.CutPrefix(part, "local ")
		if !isLocal {
			continue
		}
		if name := functionName(part); name != "" {
			names = name
		}
		names, _, _ = strings.Cut(names, " = ")
		for _, name := range wordsOf(names) {
			if declared[name] {
				return name
			}
			declared[name] = true
		}
	}
	return ""
}

// wordsOf are the names and keywords in a part of a script.
func wordsOf(part string) []string {
	return strings.FieldsFunc(part, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// functionName is the name of the function that a part of a script defines, "" where it is a single line.
func functionName(part string) string {
	if !strings.HasPrefix(part, functionBegins) {
		return ""
	}
	return wordsOf(part)[2]
}

const functionBegins = "local function "

// topLevel cuts a script into its functions and the single lines between them, and leaves out comment lines. A function begins with "local
// function" at the start of a line, and ends with that line or with a line that is only "end".
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
