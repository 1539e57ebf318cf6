package main

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/ulikunitz/xz"
)

// redisPrograms are what the second tag has beside Caddy: the server of `redis local`, and what docs/operations.md uses on the
// server's folder. In Debian redis-server is a link to redis-check-rdb.
var redisPrograms = []string{"usr/bin/redis-server", "usr/bin/redis-cli", "usr/bin/redis-check-aof"}

// debianLayer is what an image takes of the packages of a list: the programs, the libraries that they are linked with, the
// licences, and the files by which scanners find out which packages these are (distroless images have the same files).
func debianLayer(list, folder, arch string) ([]entry, error) {
	_, pins, err := readPins(list)
	if err != nil {
		return nil, err
	}
	all, kept := map[string]entry{}, map[string]entry{}
	for _, p := range pins {
		if p.arch != arch {
			continue
		}
		deb, err := os.ReadFile(filepath.Join(folder, p.file()))
		if err != nil {
			return nil, err
		}
		control, err := packageFiles(deb, "control.tar.xz")
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.file(), err)
		}
		name := "var/lib/dpkg/status.d/" + p.name
		kept[name] = entry{name: name, mode: 0o644, data: control["control"].data}
		files, err := packageFiles(deb, "data.tar.xz")
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.file(), err)
		}
		for name, e := range files {
			all[name] = e
			if isDocument(e) {
				kept[name] = e
			}
		}
	}
	for _, program := range redisPrograms {
		if err := keepLinked(kept, all, program); err != nil {
			return nil, err
		}
	}
	for _, name := range slices.Collect(maps.Keys(kept)) {
		for d := path.Dir(name); d != "."; d = path.Dir(d) {
			kept[d+"/"] = entry{name: d + "/", mode: 0o755}
		}
	}
	return slices.SortedFunc(maps.Values(kept), compareNames), nil
}

// isDocument reports whether a file is kept because people or scanners read it: licences, and which Debian this is.
func isDocument(e entry) bool {
	switch dir := path.Dir(e.name); dir {
	case "usr/share/common-licenses":
		return true
	case "usr/share/doc": // of a package that has its licence with another
		return e.link != ""
	default:
		return path.Dir(dir) == "usr/share/doc" && path.Base(e.name) == "copyright" ||
			e.name == "etc/os-release" || e.name == "usr/lib/os-release" || e.name == "etc/debian_version"
	}
}

// keepLinked keeps a program or a library with all that it is linked with. What is missing is an error here, so that it is not
// found out only in a container.
func keepLinked(kept, all map[string]entry, name string) error {
	for {
		e, ok := all[name]
		if !ok {
			return fmt.Errorf("no package has %s", name)
		}
		if _, exists := kept[name]; exists {
			return nil
		}
		kept[name] = e
		if e.link == "" {
			break
		}
		if name = path.Join(path.Dir(name), e.link); path.IsAbs(e.link) {
			name = strings.TrimPrefix(e.link, "/")
		}
	}
	linked, err := linkedWith(kept[name].data, all)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	for _, file := range linked {
		if err := keepLinked(kept, all, file); err != nil {
			return err
		}
	}
	return nil
}

// linkedWith finds the files that a program or a library is linked with: the libraries and, of a program, the loader.
func linkedWith(binary []byte, all map[string]entry) (files []string, err error) {
	file, err := elf.NewFile(bytes.NewReader(binary))
	if err != nil {
		return nil, err
	}
	for _, p := range file.Progs {
		if p.Type == elf.PT_INTERP {
			loader, err := io.ReadAll(p.Open())
			if err != nil {
				return nil, err
			}
			files = append(files, strings.Trim(string(loader), "/\x00"))
		}
	}
	libraries, err := file.ImportedLibraries()
	triplet := map[elf.Machine]string{elf.EM_X86_64: "x86_64-linux-gnu", elf.EM_AARCH64: "aarch64-linux-gnu"}[file.Machine]
	for _, library := range libraries {
		paths := []string{"lib/" + triplet + "/" + library, "usr/lib/" + triplet + "/" + library}
		at := slices.IndexFunc(paths, func(path string) bool { _, ok := all[path]; return ok })
		if at < 0 {
			return nil, fmt.Errorf("it needs %s, which no package has; name one in the list", library)
		}
		files = append(files, paths[at])
	}
	return files, err
}

// packageFiles reads the files of one of the two archives in a package. Names are without ./ at the start.
func packageFiles(deb []byte, archive string) (map[string]entry, error) {
	data, err := arMember(deb, archive)
	if err != nil {
		return nil, err
	}
	plain, err := xz.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	files := map[string]entry{}
	for r := tar.NewReader(plain); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		e := entry{name: strings.TrimPrefix(h.Name, "./"), mode: h.Mode & 0o755}
		switch h.Typeflag {
		case tar.TypeReg:
			if e.data, err = io.ReadAll(r); err != nil {
				return nil, err
			}
		case tar.TypeSymlink:
			e.link = h.Linkname
		case tar.TypeLink:
			e.data = files[strings.TrimPrefix(h.Linkname, "./")].data
		default:
			continue
		}
		files[e.name] = e
	}
}

// arMember finds one file of an ar archive, which is what a .deb is.
func arMember(data []byte, name string) ([]byte, error) {
	const magic, header = "!<arch>\n", 60
	rest, ok := bytes.CutPrefix(data, []byte(magic))
	for ok && len(rest) >= header {
		size, err := strconv.Atoi(strings.TrimSpace(string(rest[48:58])))
		if err != nil || size < 0 || size > len(rest)-header {
			break
		}
		if strings.TrimRight(string(rest[:16]), " /") == name {
			return rest[header : header+size], nil
		}
		rest = rest[min(len(rest), header+size+size%2):]
	}
	return nil, fmt.Errorf("it has no %s", name)
}
