package main

import (
	"bytes"
	"cmp"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// pin is one Debian package of one version, as deploy/image/redis.packages has it. Who made it and from where it comes does not
// matter: its checksum does.
type pin struct{ arch, name, version, sha256, sha1 string }

// file is the name that apt gives to the package's file.
func (p pin) file() string {
	return p.name + "_" + strings.ReplaceAll(p.version, ":", "%3a") + "_" + p.arch + ".deb"
}

// readPins reads the comment at the top of a list, and the packages.
func readPins(list string) (comment string, pins []pin, err error) {
	text, err := os.ReadFile(list)
	if err != nil {
		return "", nil, err
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			comment += line
			continue
		}
		part := strings.Fields(line)
		if len(part) != 5 {
			return "", nil, fmt.Errorf("%s: %q is not: architecture, package, version, SHA-256, SHA-1", list, strings.TrimSuffix(line, "\n"))
		}
		pins = append(pins, pin{part[0], part[1], part[2], part[3], part[4]})
	}
	return comment, pins, nil
}

var (
	// errNotAllPackages means that no source has some of the packages.
	errNotAllPackages = errors.New("Debian packages are missing")
	// errChecksum means that a package was fetched, or was in the folder, and is not the one of the list.
	errChecksum = errors.New("a wrong checksum")
)

// source puts packages into a folder.
type source func(folder string, pins []pin) error

// fetchPackages puts the packages of a list that are for some architectures into a folder, if they are not there yet. What one
// source lacks the next is asked for.
func fetchPackages(list, folder string, archs []string, sources ...source) error {
	_, pins, err := readPins(list)
	if err != nil {
		return err
	}
	pins = slices.DeleteFunc(pins, func(p pin) bool { return !slices.Contains(archs, p.arch) })
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	missing := func() (missing []pin) {
		for _, p := range pins {
			data, err := os.ReadFile(filepath.Join(folder, p.file()))
			if err != nil || sha256Hex(data) != p.sha256 {
				missing = append(missing, p)
			}
		}
		return missing
	}
	var problems []error
	for _, p := range missing() {
		if _, err := os.Stat(filepath.Join(folder, p.file())); err == nil {
			problems = append(problems, fmt.Errorf("%w: %s in %s is not the one of the list", errChecksum, p.file(), folder))
		}
	}
	for _, fetch := range sources {
		if wanted := missing(); len(wanted) > 0 {
			problems = append(problems, fetch(folder, wanted))
		}
	}
	names := ""
	for _, p := range missing() {
		names += "\n  " + p.file()
	}
	if names != "" {
		return fmt.Errorf("%w: %w\nPut these into a folder, and name it in RELEASE_PACKAGES:%s", errNotAllPackages, errors.Join(problems...), names)
	}
	return nil
}

// fromApt asks apt on a Debian for the versions of the list.
func fromApt(folder string, pins []pin) error {
	return apt(folder, pins, func(p pin) string { return p.name + ":" + p.arch + "=" + p.version })
}

// apt downloads packages on a Debian, by the names that apt is to be told. It keeps its state in a folder of its own, so that the
// machine needs no second architecture and we need not be root.
func apt(folder string, pins []pin, name func(pin) string) error {
	if release, _ := os.ReadFile("/etc/os-release"); !slices.Contains(strings.Split(string(release), "\n"), "ID=debian") {
		return errors.New("apt-get: this is not Debian")
	}
	state, err := os.MkdirTemp("", "apt")
	if err != nil {
		return err
	}
	defer os.RemoveAll(state)
	for _, d := range []string{"lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(state, d), 0o755); err != nil {
			return err
		}
	}
	options := []string{
		"-qq", "-o", "Dir::State=" + state, "-o", "Dir::State::lists=" + state + "/lists", "-o", "Dir::State::status=/dev/null", "-o", "Dir::Cache=" + state + "/cache",
		"-o", "Acquire::Languages=none", "-o", "Acquire::Retries=2", "-o", "APT::Sandbox::User=", "-o", "APT::Architecture=" + pins[0].arch,
	}
	download := []string{"download"}
	for _, p := range pins {
		if option := "APT::Architectures::=" + p.arch; !slices.Contains(options, option) {
			options = append(options, "-o", option)
		}
		download = append(download, name(p))
	}
	for _, command := range [][]string{{"update"}, download} {
		run := exec.Command("apt-get", append(options, command...)...)
		run.Dir = folder
		if out, err := run.CombinedOutput(); err != nil {
			out = bytes.TrimSpace(out)
			return fmt.Errorf("apt-get %s: %w: %s", command[0], err, out[bytes.LastIndexByte(out, '\n')+1:])
		}
	}
	return nil
}

// snapshots is where Debian keeps every version of every package, by its SHA-1.
const snapshots = "https://snapshot.debian.org/file/"

// fromSnapshots asks a server like that of snapshots.
func fromSnapshots(url string) source {
	return func(folder string, pins []pin) error {
		client := &http.Client{Timeout: 2 * time.Minute}
		for _, p := range pins {
			data, err := get(client, url+p.sha1)
			if err != nil {
				return err
			}
			if sha256Hex(data) != p.sha256 {
				return fmt.Errorf("%w: %s%s is not the %s that was asked for", errChecksum, url, p.sha1, p.file())
			}
			if err := os.WriteFile(filepath.Join(folder, p.file()), data, 0o644); err != nil {
				return err
			}
		}
		return nil
	}
}

// maxPackage is far more bytes than any package has.
const maxPackage = 64 << 20

func get(client *http.Client, url string) ([]byte, error) {
	answer, err := client.Get(url)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, answer.Status)
	}
	return io.ReadAll(io.LimitReader(answer.Body, maxPackage))
}

// renewPins writes a list anew with the versions that Debian has now.
func renewPins(list string) error {
	comment, pins, err := readPins(list)
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "packages")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	if err := apt(folder, pins, func(p pin) string { return p.name + ":" + p.arch }); err != nil {
		return err
	}
	for i, p := range pins {
		files, err := filepath.Glob(filepath.Join(folder, p.name+"_*_"+p.arch+".deb"))
		if err != nil || len(files) != 1 {
			return fmt.Errorf("%s for %s: %d files came", p.name, p.arch, len(files))
		}
		data, err := os.ReadFile(files[0])
		if err != nil {
			return err
		}
		version := strings.Split(filepath.Base(files[0]), "_")[1]
		pins[i] = pin{p.arch, p.name, strings.ReplaceAll(version, "%3a", ":"), sha256Hex(data), fmt.Sprintf("%x", sha1.Sum(data))}
	}
	slices.SortFunc(pins, func(a, b pin) int { return cmp.Or(cmp.Compare(a.arch, b.arch), cmp.Compare(a.name, b.name)) })
	for _, p := range pins {
		comment += strings.Join([]string{p.arch, p.name, p.version, p.sha256, p.sha1}, " ") + "\n"
	}
	return os.WriteFile(list, []byte(comment), 0o644)
}
