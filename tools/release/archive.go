package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
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
	link string // to where it points
}

// entriesOf reads name=path pairs.
func entriesOf(pairs []string) (list []entry, err error) {
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

func archive(file string, pairs []string) error {
	list, err := entriesOf(pairs)
	if err != nil {
		return err
	}
	var data []byte
	if strings.HasSuffix(file, ".zip") {
		data, err = zipped(list)
	} else {
		data, err = tarred(list, true)
	}
	if err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o644)
}

// folder archives a folder, under a name or at the top.
func folder(file, of, name string) error {
	var pairs []string
	err := filepath.WalkDir(of, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		inside, err := filepath.Rel(of, path)
		pairs = append(pairs, filepath.ToSlash(filepath.Join(name, inside))+"="+path)
		return err
	})
	if err != nil {
		return err
	}
	list, err := entriesOf(pairs)
	if err != nil {
		return err
	}
	data, err := tarred(list, strings.HasSuffix(file, "gz"))
	if err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o644)
}

func tarred(list []entry, compress bool) ([]byte, error) {
	slices.SortFunc(list, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	var inner bytes.Buffer
	w := tar.NewWriter(&inner)
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
	if err := w.Close(); err != nil {
		return nil, err
	}
	if !compress {
		return inner.Bytes(), nil
	}
	return gzipped(inner.Bytes())
}

func gzipped(data []byte) ([]byte, error) {
	var buf bytes.Buffer
	z, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(data); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

func zipped(list []entry) ([]byte, error) {
	slices.SortFunc(list, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
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
	if err := w.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// checksums writes SHA256SUMS of the files of a folder, as `sha256sum -c` reads it.
func checksums(folder string) error {
	var sums strings.Builder
	files, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil {
		return err
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			return err
		}
		if info.IsDir() || filepath.Base(file) == "SHA256SUMS" {
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(data), filepath.Base(file))
	}
	return os.WriteFile(filepath.Join(folder, "SHA256SUMS"), []byte(sums.String()), 0o644)
}
