package main

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha1"
	"crypto/sha256"
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

// file is how apt calls it.
func (p pin) file() string {
	return p.name + "_" + strings.ReplaceAll(p.version, ":", "%3a") + "_" + p.arch + ".deb"
}

// readPins reads the comment at the top of a list, and the packages.
func readPins(list string) (comment string, pins []pin, err error) {
	text, err := os.ReadFile(list)
	if err != nil {
		return "", nil, err
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, "#") {
			comment += line + "\n"
			continue
		}
		part := strings.Fields(line)
		if len(part) != 5 {
			return "", nil, fmt.Errorf("%s: %q is not: architecture, package, version, SHA-256, SHA-1", list, line)
		}
		pins = append(pins, pin{part[0], part[1], part[2], part[3], part[4]})
	}
	return comment, pins, lines.Err()
}

var (
	// errNotAllPackages means that what was looked for is in none of the places.
	errNotAllPackages = errors.New("Debian packages are missing")
	// errChecksum means that a package came, or was there, and is not the one of the list.
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
	missing := func() (some []pin) {
		for _, p := range pins {
			data, err := os.ReadFile(filepath.Join(folder, p.file()))
			if err != nil || fmt.Sprintf("%x", sha256.Sum256(data)) != p.sha256 {
				some = append(some, p)
			}
		}
		return some
	}
	var why []error
	for _, p := range missing() {
		if _, err := os.Stat(filepath.Join(folder, p.file())); err == nil {
			why = append(why, fmt.Errorf("%w: %s in %s is not the one of the list", errChecksum, p.file(), folder))
		}
	}
	for _, from := range sources {
		if some := missing(); len(some) > 0 {
			why = append(why, from(folder, some))
		}
	}
	if some := missing(); len(some) > 0 {
		names := ""
		for _, p := range some {
			names += "\n  " + p.file()
		}
		return fmt.Errorf("%w: %w\nPut these into a folder, and name it in RELEASE_PACKAGES:%s", errNotAllPackages, errors.Join(why...), names)
	}
	return nil
}

// fromApt asks the apt of a machine with Debian, in a state of its own: the machine needs no second architecture, and we not
// be root.
func fromApt(folder string, pins []pin) error {
	var wanted []string
	for _, p := range pins {
		wanted = append(wanted, p.name+":"+p.arch+"="+p.version)
	}
	return apt(folder, pins, wanted)
}

func apt(folder string, pins []pin, wanted []string) error {
	if about, _ := os.ReadFile("/etc/os-release"); !slices.Contains(strings.Split(string(about), "\n"), "ID=debian") {
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
	for _, p := range pins {
		if option := "APT::Architectures::=" + p.arch; !slices.Contains(options, option) {
			options = append(options, "-o", option)
		}
	}
	for _, command := range [][]string{{"update"}, append([]string{"download"}, wanted...)} {
		run := exec.Command("apt-get", append(options, command...)...)
		run.Dir = folder
		if out, err := run.CombinedOutput(); err != nil {
			return fmt.Errorf("apt-get %s: %w: %s", command[0], err, lastLine(out))
		}
	}
	return nil
}

func lastLine(out []byte) []byte {
	out = bytes.TrimSpace(out)
	return out[bytes.LastIndexByte(out, '\n')+1:]
}

// snapshots is where Debian keeps every version of every package, by its SHA-1.
const snapshots = "https://snapshot.debian.org/file/"

func fromSnapshots(at string) source {
	return func(folder string, pins []pin) error { return bySHA1(at, folder, pins) }
}

func bySHA1(at, folder string, pins []pin) error {
	client := &http.Client{Timeout: 2 * time.Minute}
	for _, p := range pins {
		data, err := get(client, at+p.sha1)
		if err != nil {
			return err
		}
		if fmt.Sprintf("%x", sha256.Sum256(data)) != p.sha256 {
			return fmt.Errorf("%w: %s%s is not the %s that was asked for", errChecksum, at, p.sha1, p.file())
		}
		if err := os.WriteFile(filepath.Join(folder, p.file()), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// mostPackage is far more than any package has.
const mostPackage = 64 << 20

func get(client *http.Client, url string) ([]byte, error) {
	answer, err := client.Get(url)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, answer.Status)
	}
	return io.ReadAll(io.LimitReader(answer.Body, mostPackage))
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
	var wanted []string
	for _, p := range pins {
		wanted = append(wanted, p.name+":"+p.arch)
	}
	if err := apt(folder, pins, wanted); err != nil {
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
		pins[i] = pin{p.arch, p.name, strings.ReplaceAll(version, "%3a", ":"), fmt.Sprintf("%x", sha256.Sum256(data)), fmt.Sprintf("%x", sha1.Sum(data))}
	}
	slices.SortFunc(pins, func(a, b pin) int { return cmp.Or(cmp.Compare(a.arch, b.arch), cmp.Compare(a.name, b.name)) })
	for _, p := range pins {
		comment += strings.Join([]string{p.arch, p.name, p.version, p.sha256, p.sha1}, " ") + "\n"
	}
	return os.WriteFile(list, []byte(comment), 0o644)
}
