package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// python writes the wheel and the source distribution of a package that is pure Python: zip and tar files with metadata, for
// which no Python is needed. pip and twine read them as they read setuptools' own.
func python(sdk, folder string) error {
	texts, err := readEntries([]string{"pyproject.toml=" + sdk + "/pyproject.toml", "README.md=" + sdk + "/README.md", "LICENSE=" + sdk + "/LICENSE"})
	if err != nil {
		return err
	}
	name, metadata, err := pythonMetadata(texts[0].data, texts[1].data)
	if err != nil {
		return err
	}
	version := os.Getenv("VERSION")
	files, err := filepath.Glob(filepath.Join(sdk, "src", name, "*"))
	if err != nil {
		return err
	}
	var pairs []string
	for _, file := range files {
		if ext := filepath.Ext(file); ext == ".py" || ext == ".typed" {
			pairs = append(pairs, name+"/"+filepath.Base(file)+"="+file)
		}
	}
	code, err := readEntries(pairs)
	if err != nil {
		return err
	}

	info := fmt.Sprintf("%s-%s.dist-info/", name, version)
	wheel := append([]entry{
		{name: info + "METADATA", mode: 0o644, data: metadata},
		{name: info + "LICENSE", mode: 0o644, data: texts[2].data},
		{name: info + "top_level.txt", mode: 0o644, data: []byte(name + "\n")},
		{name: info + "WHEEL", mode: 0o644, data: []byte("Wheel-Version: 1.0\nGenerator: release.sh\nRoot-Is-Purelib: true\nTag: py3-none-any\n")},
	}, code...)
	var record []byte
	for _, e := range wheel {
		sum := sha256.Sum256(e.data)
		record = fmt.Appendf(record, "%s,sha256=%s,%d\n", e.name, base64.RawURLEncoding.EncodeToString(sum[:]), len(e.data))
	}
	wheel = append(wheel, entry{name: info + "RECORD", mode: 0o644, data: fmt.Appendf(record, "%sRECORD,,\n", info)})

	top := fmt.Sprintf("%s-%s/", name, version)
	source := append(texts, entry{name: "PKG-INFO", mode: 0o644, data: metadata})
	for _, e := range code {
		e.name = "src/" + e.name
		source = append(source, e)
	}
	for i := range source {
		source[i].name = top + source[i].name
	}
	return errors.Join(writeArchive(filepath.Join(folder, fmt.Sprintf("%s-%s-py3-none-any.whl", name, version)), wheel),
		writeArchive(filepath.Join(folder, fmt.Sprintf("%s-%s.tar.gz", name, version)), source))
}

// pythonMetadata returns the name of a package and its metadata, from what pyproject.toml says.
func pythonMetadata(project, readme []byte) (name string, metadata []byte, err error) {
	find := func(key, pattern string) string {
		match := regexp.MustCompile(`(?ms)^` + key + ` = ` + pattern + `$`).FindSubmatch(project)
		if match == nil {
			err = fmt.Errorf("pyproject.toml has no %s", key)
			return ""
		}
		return string(match[1])
	}
	value := func(key string) string { return find(key, `"([^\n]*)"`) }
	list := func(key string) (items []string) {
		for _, item := range regexp.MustCompile(`"(.*?)"`).FindAllStringSubmatch(find(key, `\[(.*?)\]`), -1) {
			items = append(items, item[1])
		}
		return items
	}
	name = value("name")
	var text bytes.Buffer
	fmt.Fprintf(&text, "Metadata-Version: 2.1\nName: %s\nVersion: %s\nSummary: %s\nAuthor: VideoCloud\nLicense: Apache-2.0\nKeywords: %s\nRequires-Python: %s\n",
		name, os.Getenv("VERSION"), value("description"), strings.Join(list("keywords"), ","), value("requires-python"))
	for _, name := range []string{"Repository", "Documentation", "Changelog"} {
		fmt.Fprintf(&text, "Project-URL: %s, %s\n", name, value(name))
	}
	for _, c := range list("classifiers") {
		fmt.Fprintf(&text, "Classifier: %s\n", c)
	}
	fmt.Fprintf(&text, "Description-Content-Type: text/markdown\nLicense-File: LICENSE\n\n%s", readme)
	return name, text.Bytes(), err
}
