//go:build ignore

// Generate writes the version from the file VERSION at the root into every place that can't read that file:
// go generate ./internal/version
package main

import (
	"log"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

const root = "../.."

// inNames matches the version in the names of a release's files and in their addresses.
const inNames = `(?:download/v|caddy-webhooks[-_:])(\d+\.\d+\.\d+)`

// places maps each file to a pattern for the version in it. Its group is replaced, wherever the pattern matches.
var places = map[string]string{
	"README.md":                             inNames,
	"docs/install.md":                       inNames,
	"docs/command-line.md":                  `(?m)^(?:version +)?(\d+\.\d+\.\d+[^\s"]*)$`,
	"docs/operations.md":                    `"version":"([^"]*)","store"`,
	"deploy/helm/caddy-webhooks/Chart.yaml": `(?m)^(?:version|appVersion): (.*)$`,
	"deploy/kubernetes/webhooks.yaml":       `(?:caddy-webhooks:|/version: ")(\d+\.\d+\.\d+[^"]*)"`,
	"client/version.go":                     `const version = "(.*?)"`,
	"internal/version/number.go":            `const Number = "(.*?)"`,
	"sdk/javascript/package.json":           `(?m)^  "version": "(.*?)"`,
	"sdk/javascript/package-lock.json":      `"name": "@videocloud/sdk",\s+"version": "(.*?)"`,
	"sdk/javascript/src/version.ts":         `const sdkVersion = '(.*?)'`,
	"sdk/python/src/videocloud/_version.py": `__version__ = '(.*?)'`,
}

func main() {
	text, err := os.ReadFile(filepath.Join(root, "VERSION"))
	if err != nil {
		log.Fatal(err)
	}
	version := strings.TrimSpace(string(text))
	for name, pattern := range places {
		file := filepath.Join(root, name)
		text, err := os.ReadFile(file)
		if err != nil {
			log.Fatal(err)
		}
		matches := regexp.MustCompile(pattern).FindAllSubmatchIndex(text, -1)
		if len(matches) == 0 {
			log.Fatalf("%s has no version", name)
		}
		for _, match := range slices.Backward(matches) { // from the end, so that the places of the others stay
			text = slices.Replace(text, match[2], match[3], []byte(version)...)
		}
		if err := os.WriteFile(file, text, 0o644); err != nil {
			log.Fatal(err)
		}
	}
}
