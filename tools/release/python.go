package main

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// python writes the wheel and the source distribution of a package that is pure Python: zip and tar files with metadata, for
// which no Python is needed. pip and twine read them as they read setuptools' own.
func python(sdk, folder string) error {
	project, err := os.ReadFile(filepath.Join(sdk, "pyproject.toml"))
	if err != nil {
		return err
	}
	readme, err := os.ReadFile(filepath.Join(sdk, "README.md"))
	if err != nil {
		return err
	}
	licence, err := os.ReadFile(filepath.Join(sdk, "LICENSE"))
	if err != nil {
		return err
	}
	version := os.Getenv("VERSION")
	value := func(key string) string {
		m := regexp.MustCompile(`(?m)^` + key + ` = "(.*)"$`).FindSubmatch(project)
		if m == nil {
			err = fmt.Errorf("pyproject.toml has no %s", key)
			return ""
		}
		return string(m[1])
	}
	list := func(key string) (items []string) {
		m := regexp.MustCompile(`(?s)\n` + key + ` = \[(.*?)\]`).FindSubmatch(project)
		if m == nil {
			err = fmt.Errorf("pyproject.toml has no %s", key)
			return nil
		}
		for _, item := range regexp.MustCompile(`"(.*?)"`).FindAllSubmatch(m[1], -1) {
			items = append(items, string(item[1]))
		}
		return items
	}
	var meta strings.Builder
	fmt.Fprintf(&meta, "Metadata-Version: 2.1\nName: %s\nVersion: %s\nSummary: %s\nAuthor: VideoCloud\nLicense: Apache-2.0\nKeywords: %s\nRequires-Python: %s\n",
		value("name"), version, value("description"), strings.Join(list("keywords"), ","), value("requires-python"))
	for _, name := range []string{"Repository", "Documentation", "Changelog"} {
		fmt.Fprintf(&meta, "Project-URL: %s, %s\n", name, value(name))
	}
	for _, c := range list("classifiers") {
		fmt.Fprintf(&meta, "Classifier: %s\n", c)
	}
	fmt.Fprintf(&meta, "Description-Content-Type: text/markdown\nLicense-File: LICENSE\n\n%s", readme)
	if err != nil {
		return err
	}

	name := value("name")
	var code []entry
	files, err := filepath.Glob(filepath.Join(sdk, "src", name, "*"))
	if err != nil {
		return err
	}
	for _, file := range files {
		if ext := filepath.Ext(file); ext != ".py" && ext != ".typed" {
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		code = append(code, entry{name: name + "/" + filepath.Base(file), mode: 0o644, data: data})
	}

	about := fmt.Sprintf("%s-%s.dist-info/", name, version)
	wheel := append([]entry{
		{name: about + "METADATA", mode: 0o644, data: []byte(meta.String())},
		{name: about + "LICENSE", mode: 0o644, data: licence},
		{name: about + "top_level.txt", mode: 0o644, data: []byte(name + "\n")},
		{name: about + "WHEEL", mode: 0o644, data: []byte("Wheel-Version: 1.0\nGenerator: release.sh\nRoot-Is-Purelib: true\nTag: py3-none-any\n")},
	}, code...)
	var record strings.Builder
	for _, e := range wheel {
		sum := sha256.Sum256(e.data)
		fmt.Fprintf(&record, "%s,sha256=%s,%d\n", e.name, base64.RawURLEncoding.EncodeToString(sum[:]), len(e.data))
	}
	fmt.Fprintf(&record, "%sRECORD,,\n", about)
	data, err := zipped(append(wheel, entry{name: about + "RECORD", mode: 0o644, data: []byte(record.String())}))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%s-%s-py3-none-any.whl", name, version)), data, 0o644); err != nil {
		return err
	}

	top := fmt.Sprintf("%s-%s/", name, version)
	source := []entry{
		{name: top + "PKG-INFO", mode: 0o644, data: []byte(meta.String())},
		{name: top + "pyproject.toml", mode: 0o644, data: project},
		{name: top + "README.md", mode: 0o644, data: readme},
		{name: top + "LICENSE", mode: 0o644, data: licence},
	}
	for _, e := range code {
		e.name = top + "src/" + e.name
		source = append(source, e)
	}
	if data, err = tarred(source, true); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, fmt.Sprintf("%s-%s.tar.gz", name, version)), data, 0o644)
}
