// Command release makes what release.sh publishes out of what it built: archives, the Python packages, an OCI image layout, bills
// of materials, licences and checksums. It needs no other program for that, and writes the same bytes each time: entries are
// sorted, owned by root, and have the time SOURCE_DATE_EPOCH.
//
//	release licences <folder of the module> <package> <file>       the licences of every module that the package links
//	release sbom <binary> <file>                                   CycloneDX, from what Go noted in the binary
//	release archive <file.tar.gz|file.zip> <name=path>...          an archive
//	release image <folder> <version> <arch=binary>... <name=path>... an OCI image layout
//	release packages <list> <folder> <arch>...                     the Debian packages of a list, fetched into a folder
//	release pin <list>                                             the list anew, with what Debian has now
//	release redis-image <folder> <version> <list> <folder of packages> <Caddyfile> <arch=binary>... <name=path>...
//	                                                               an OCI image layout with a Redis beside Caddy
//	release python <folder of the SDK> <folder>                    wheel and source distribution
//	release folder <file.tar|file.tgz> <folder> [<name>]           an archive of a folder
//	release checksums <folder>                                     SHA256SUMS
package main

import (
	"crypto/sha256"
	"fmt"
	"log"
	"os"
	"strconv"
	"time"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("release: ")
	if err := run(os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

// commands by name, with the number of arguments that each needs at least.
var commands = map[string]struct {
	needs int
	run   func(args []string) error
}{
	"licences":    {3, func(a []string) error { return licences(a[0], a[1], a[2]) }},
	"sbom":        {2, func(a []string) error { return sbom(a[0], a[1]) }},
	"archive":     {2, func(a []string) error { return archive(a[0], a[1:]) }},
	"image":       {3, func(a []string) error { return image(a[0], a[1], a[2:]) }},
	"packages":    {3, func(a []string) error { return fetchPackages(a[0], a[1], a[2:], fromApt, fromSnapshots(snapshots)) }},
	"pin":         {1, func(a []string) error { return renewPins(a[0]) }},
	"redis-image": {6, func(a []string) error { return redisImage(a[0], a[1], a[2], a[3], a[4], a[5:]) }},
	"python":      {2, func(a []string) error { return python(a[0], a[1]) }},
	"folder":      {2, func(a []string) error { return archiveFolder(a[0], a[1], a[2:]...) }},
	"checksums":   {1, func(a []string) error { return checksums(a[0]) }},
}

func run(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("say what to make; see the package's comment")
	}
	name, args := args[0], args[1:]
	command, ok := commands[name]
	switch {
	case !ok:
		return fmt.Errorf("there is no %q", name)
	case len(args) < command.needs:
		return fmt.Errorf("%s needs %d arguments", name, command.needs)
	}
	return command.run(args)
}

// epoch is the time that everything in an artefact has.
func epoch() time.Time {
	seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		log.Fatal("SOURCE_DATE_EPOCH is no number of seconds")
	}
	return time.Unix(seconds, 0).UTC()
}

// timestamp is epoch as documents have it.
func timestamp() string { return epoch().Format(time.RFC3339) }

// sha256Hex is the checksum of data in lower-case hex.
func sha256Hex(data []byte) string { return fmt.Sprintf("%x", sha256.Sum256(data)) }
