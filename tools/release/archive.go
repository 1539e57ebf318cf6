package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// entry is a file, a folder or a symbolic link of an archive.
type entry struct {
	name string // with / at the end: a folder
	mode int64
	uid  int
	data []byte
	link string // target of a symbolic link; "" for none
}

func compareNames(a, b entry) int { return strings.Compare(a.name, b.name) }

// readEntries reads the files of name=path pairs.
func readEntries(pairs []string) (list []entry, err error) {
	for _, pair := range pairs {
		name, path, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, fmt.Errorf("%q is not name=path", pair)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		mode := int64(0o644)
		if info.Mode()&0o111 != 0 || strings.HasSuffix(name, ".exe") {
			mode = 0o755
		}
		list = append(list, entry{name: name, mode: mode, data: data})
	}
	return list, nil
}

// archive writes an archive of the files of name=path pairs.
func archive(file string, pairs []string) error {
	list, err := readEntries(pairs)
	if err != nil {
		return err
	}
	return writeArchive(file, list)
}

// archiveFolder archives a folder, at the top of the archive or under a name.
func archiveFolder(file, folder string, under ...string) error {
	var pairs []string
	err := filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		inside, err := filepath.Rel(folder, path)
		pairs = append(pairs, filepath.ToSlash(filepath.Join(append(slices.Clone(under), inside)...))+"="+path)
		return err
	})
	if err != nil {
		return err
	}
	return archive(file, pairs)
}

// writeArchive writes the kind of archive that a file's name ends with: .zip or .whl, .tar, and else a tar archive compressed by gzip.
func writeArchive(file string, list []entry) (err error) {
	var data []byte
	switch filepath.Ext(file) {
	case ".zip", ".whl":
		data, err = zipped(list)
	case ".tar":
		data, err = tarred(list)
	default:
		if data, err = tarred(list); err == nil {
			data, err = gzipped(data)
		}
	}
	if err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o644)
}

func tarred(list []entry) ([]byte, error) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	slices.SortFunc(list, compareNames)
	for _, e := range list {
		h := &tar.Header{Name: e.name, Mode: e.mode, Size: int64(len(e.data)), ModTime: epoch(), Uid: e.uid, Gid: e.uid, Format: tar.FormatPAX, Typeflag: tar.TypeReg}
		if strings.HasSuffix(e.name, "/") {
			h.Typeflag = tar.TypeDir
		}
		if e.link != "" {
			h.Typeflag, h.Linkname, h.Mode = tar.TypeSymlink, e.link, 0o777
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(e.data); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return buf.Bytes(), err
}

func gzipped(data []byte) ([]byte, error) {
	var buf bytes.Buffer
	w, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	_, err = w.Write(data)
	err = errors.Join(err, w.Close())
	return buf.Bytes(), err
}

func zipped(list []entry) ([]byte, error) {
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	slices.SortFunc(list, compareNames)
	for _, e := range list {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate, Modified: epoch()}
		h.SetMode(os.FileMode(e.mode))
		part, err := w.CreateHeader(h)
		if err != nil {
			return nil, err
		}
		if _, err := part.Write(e.data); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return buf.Bytes(), err
}

// checksums writes SHA256SUMS of the files of a folder, as `sha256sum -c` reads it.
func checksums(folder string) error {
	const list = "SHA256SUMS"
	files, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	var sums []byte
	for _, file := range files {
		if file.IsDir() || file.Name() == list {
			continue
		}
		data, err := os.ReadFile(filepath.Join(folder, file.Name()))
		if err != nil {
			return err
		}
		sums = fmt.Appendf(sums, "%s  %s\n", sha256Hex(data), file.Name())
	}
	return os.WriteFile(filepath.Join(folder, list), sums, 0o644)
}
