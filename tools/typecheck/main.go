// Command typecheck reads a module's packages, tests included, for other machines than this one, and reports what does not compile
// there:
//
//	typecheck <folder of the module> <os/arch>...
//
// `go vet` finds more, but must compile everything for each machine first, which takes minutes; this reads the sources alone.
package main

import (
	"fmt"
	"log"
	"os"
	"strings"

	"golang.org/x/tools/go/packages"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("typecheck: ")
	if len(os.Args) < 3 {
		log.Fatal("say a folder and at least one os/arch")
	}
	count := 0
	for _, target := range os.Args[2:] {
		system, arch, _ := strings.Cut(target, "/")
		loaded, err := packages.Load(&packages.Config{
			Dir: os.Args[1], Tests: true, Env: append(os.Environ(), "GOOS="+system, "GOARCH="+arch, "CGO_ENABLED=0"),
			Mode: packages.NeedName | packages.NeedFiles | packages.NeedImports | packages.NeedDeps | packages.NeedSyntax | packages.NeedTypes | packages.NeedTypesSizes,
		}, "./...")
		if err != nil {
			log.Fatal(err)
		}
		if len(loaded) == 0 {
			log.Fatalf("no packages in %s", os.Args[1])
		}
		// These are the packages of the module and their tests. Other modules' are loaded for their types alone.
		for _, p := range loaded {
			for _, e := range p.Errors {
				fmt.Fprintf(os.Stderr, "%s: %v\n", target, e)
				count++
			}
		}
	}
	if count > 0 {
		log.Fatalf("%d errors", count)
	}
}
