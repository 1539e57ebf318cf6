package main

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// component is part of a bill of materials, as CycloneDX has it.
type component struct {
	Type       string     `json:"type"`
	Ref        string     `json:"bom-ref"`
	Name       string     `json:"name"`
	Version    string     `json:"version"`
	PURL       string     `json:"purl,omitempty"`
	Properties []property `json:"properties,omitempty"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// sbom writes the bill of materials of a binary: what Go recorded in it when it was built.
func sbom(binary, file string) error {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return err
	}
	version := os.Getenv("VERSION")
	main := component{Type: "application", Ref: info.Main.Path, Name: info.Main.Path, Version: version, PURL: "pkg:golang/" + info.Main.Path + "@v" + version}
	for _, s := range info.Settings {
		if s.Key == "GOOS" || s.Key == "GOARCH" || s.Key == "CGO_ENABLED" || s.Key == "-trimpath" {
			main.Properties = append(main.Properties, property{"go:" + s.Key, s.Value})
		}
	}
	components := []component{{Type: "platform", Ref: "go", Name: "Go", Version: info.GoVersion}}
	dependsOn := []string{"go"}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		purl := "pkg:golang/" + m.Path + "@" + m.Version
		components = append(components, component{
			Type: "library", Ref: purl, Name: m.Path, Version: m.Version, PURL: purl, Properties: []property{{"go:sum", m.Sum}},
		})
		dependsOn = append(dependsOn, purl)
	}
	var buf bytes.Buffer
	encoder := json.NewEncoder(&buf)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(map[string]any{
		"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
		"metadata":     map[string]any{"timestamp": timestamp(), "component": main},
		"components":   components,
		"dependencies": []any{map[string]any{"ref": main.Ref, "dependsOn": dependsOn}},
	}); err != nil {
		return err
	}
	return os.WriteFile(file, buf.Bytes(), 0o644)
}

var licenceName = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents)([.-].*)?$`)

// licences gathers the licences of every module that a package links. A module without one is an error, as nobody may pass it on.
func licences(folder, pkg, file string) error {
	list := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}\t{{.Version}}\t{{.Dir}}{{end}}{{end}}", pkg)
	list.Dir, list.Stderr = folder, os.Stderr
	out, err := list.Output()
	if err != nil {
		return err
	}
	modules := slices.Compact(slices.Sorted(strings.Lines(string(out))))
	var all strings.Builder
	fmt.Fprintf(&all, "Licences of the modules that %s is built from.\n", pkg)
	for _, line := range modules {
		part := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(part) != 3 { // the empty line of a package of our own, or of the standard library
			continue
		}
		path, version, dir := part[0], part[1], part[2]
		found := false
		// A module that is part of a repository may have its licence at the repository's top, which its zip then holds too.
		files, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, f := range files {
			if f.IsDir() || !licenceName.MatchString(f.Name()) {
				continue
			}
			text, err := os.ReadFile(filepath.Join(dir, f.Name()))
			if err != nil {
				return err
			}
			found = true
			fmt.Fprintf(&all, "\n%s\n%s %s: %s\n%s\n\n%s", strings.Repeat("=", 80), path, version, f.Name(), strings.Repeat("=", 80), text)
		}
		if !found {
			return fmt.Errorf("%s %s has no licence file", path, version)
		}
	}
	return os.WriteFile(file, []byte(all.String()), 0o644)
}
