package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ulikunitz/xz"
)

// listOf writes a list with one package of each of two architectures, and serves them by their SHA-1.
func listOf(t *testing.T, served func([]byte) []byte) (list string, from source) {
	t.Helper()
	text, packages := "# a comment\n", map[string][]byte{}
	for _, arch := range []string{"amd64", "arm64"} {
		deb := []byte("a package for " + arch)
		sum := fmt.Sprintf("%x", sha1.Sum(deb))
		packages["/"+sum] = served(deb)
		text += fmt.Sprintf("%s redis-server 5:7.0 %x %s\n", arch, sha256.Sum256(deb), sum)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(packages[r.URL.Path]) }))
	t.Cleanup(server.Close)
	list = filepath.Join(t.TempDir(), "packages")
	if err := os.WriteFile(list, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return list, fromSnapshots(server.URL + "/")
}

func TestPackagesOfTheNextSourceAndNoneTwice(t *testing.T) {
	t.Parallel()
	list, snapshots := listOf(t, func(deb []byte) []byte { return deb })
	folder := filepath.Join(t.TempDir(), "kept")
	none := func(string, []pin) error { return errors.New("no apt here") }
	if err := fetchPackages(list, folder, []string{"amd64"}, none, snapshots); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(folder, "*"))
	if len(files) != 1 || filepath.Base(files[0]) != "redis-server_5%3a7.0_amd64.deb" {
		t.Fatal(files)
	}
	// What is in the folder needs no source.
	if err := fetchPackages(list, folder, []string{"amd64"}); err != nil {
		t.Fatal(err)
	}
	err := fetchPackages(list, folder, []string{"amd64", "arm64"}, none)
	if !errors.Is(err, errNotAllPackages) || !strings.Contains(err.Error(), "no apt here") || !strings.Contains(err.Error(), "redis-server_5%3a7.0_arm64.deb") {
		t.Fatal(err)
	}
}

func TestPackagesWithAnotherChecksumAreRefused(t *testing.T) {
	t.Parallel()
	list, snapshots := listOf(t, func(deb []byte) []byte { return append(deb, '!') })
	folder := t.TempDir()
	if err := fetchPackages(list, folder, []string{"amd64", "arm64"}, snapshots); !errors.Is(err, errNotAllPackages) || !errors.Is(err, errChecksum) {
		t.Fatal(err)
	}
	if files, _ := filepath.Glob(filepath.Join(folder, "*")); len(files) != 0 {
		t.Fatal(files)
	}
	// Nor is a file in the folder taken that is something else.
	if err := os.WriteFile(filepath.Join(folder, "redis-server_5%3a7.0_amd64.deb"), []byte("other"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := fetchPackages(list, folder, []string{"amd64"}); !errors.Is(err, errNotAllPackages) || !errors.Is(err, errChecksum) {
		t.Fatal(err)
	}
}

func TestFilesOfAPackage(t *testing.T) {
	t.Parallel()
	var packed bytes.Buffer
	x, err := xz.NewWriter(&packed)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(x)
	for _, h := range []*tar.Header{
		{Name: "./usr/", Typeflag: tar.TypeDir},
		{Name: "./usr/bin/one", Typeflag: tar.TypeReg, Mode: 0o4755, Size: 3},
		{Name: "./usr/bin/two", Typeflag: tar.TypeSymlink, Linkname: "one"},
		{Name: "./usr/bin/three", Typeflag: tar.TypeLink, Linkname: "./usr/bin/one"},
	} {
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			_, _ = w.Write([]byte("yes"))
		}
	}
	if err := errors.Join(w.Close(), x.Close()); err != nil {
		t.Fatal(err)
	}
	deb := []byte("!<arch>\n")
	for name, data := range map[string][]byte{"debian-binary": []byte("2.0"), "data.tar.xz": packed.Bytes()} {
		deb = fmt.Appendf(deb, "%-16s%-12d%-6d%-6d%-8o%-10d`\n%s", name, 0, 0, 0, 0o100644, len(data), data)
		if len(data)%2 > 0 {
			deb = append(deb, '\n')
		}
	}
	files, err := packageFiles(deb, "data.tar.xz")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 3 || string(files["usr/bin/one"].data) != "yes" || files["usr/bin/two"].link != "one" || string(files["usr/bin/three"].data) != "yes" {
		t.Fatal(files)
	}
	if files["usr/bin/one"].mode != 0o755 { // a program of an image must not be set-user-ID
		t.Fatalf("%o", files["usr/bin/one"].mode)
	}
	for _, cut := range []int{0, 8, 60, 70, len(deb) / 2} {
		if _, err := packageFiles(deb[:cut], "data.tar.xz"); err == nil {
			t.Fatal(cut)
		}
	}
}
