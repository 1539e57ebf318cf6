// Command release makes what release.sh publishes out of what it built: archives, the Python packages, an OCI image layout, bills
// of materials, licences and checksums. It is plain Go and writes the same bytes each time: entries are sorted, owned by
// root, and as old as SOURCE_DATE_EPOCH says.
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

func run(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("say what to make; see the package's comment")
	}
	what, args := args[0], args[1:]
	wanted := map[string]int{"licences": 3, "sbom": 2, "archive": 2, "image": 3, "packages": 3, "pin": 1, "redis-image": 6, "python": 2, "folder": 2, "checksums": 1}[what]
	if len(args) < wanted {
		return fmt.Errorf("%s needs %d arguments", what, wanted)
	}
	switch what {
	case "licences":
		return licences(args[0], args[1], args[2])
	case "sbom":
		return sbom(args[0], args[1])
	case "archive":
		return archive(args[0], args[1:])
	case "image":
		return image(args[0], args[1], args[2:])
	case "packages":
		return fetchPackages(args[0], args[1], args[2:], fromApt, fromSnapshots(snapshots))
	case "pin":
		return renewPins(args[0])
	case "redis-image":
		return redisImage(args[0], args[1], args[2], args[3], args[4], args[5:])
	case "python":
		return python(args[0], args[1])
	case "folder":
		name := ""
		if len(args) > 2 {
			name = args[2]
		}
		return folder(args[0], args[1], name)
	case "checksums":
		return checksums(args[0])
	}
	return fmt.Errorf("there is no %q", what)
}

// epoch is how old everything is.
func epoch() time.Time {
	seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		log.Fatal("SOURCE_DATE_EPOCH is no number of seconds")
	}
	return time.Unix(seconds, 0).UTC()
}
