package command

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/videocloud/webhooks/internal/backup"
)

func newBackup() *cobra.Command {
	var f adminFlags
	return f.add(&cobra.Command{
		Use:   "backup <file>",
		Short: "Saves all that the store holds",
		Long: `
Saves all that a running Caddy's store holds into a file, as it was at one
moment, while everything goes on: webhooks with their sealed secrets, API keys,
events and their payloads, what waits, the history, a receiver's claims and
queue. Not in it are the encryption key, which is needed to restore it, the
Caddyfile and certificates.

The file is whole or not there: it takes its name once its end was read back.
It can be read by its owner only, as it holds payloads.`,
		Example: `  $ caddy webhook backup webhooks-$(date +%F).backup`,
		RunE:    arguments(1, "a file", func(cmd *cobra.Command, args []string) error { return saveBackup(cmd, &f, args[0]) }),
	})
}

// backupResult is what a backup did, as programs read it.
type backupResult struct {
	Keys  int   `json:"keys"`
	Bytes int64 `json:"bytes"`
}

func saveBackup(cmd *cobra.Command, f *adminFlags, path string) error {
	resp, err := f.open(cmd.Context(), http.MethodGet, "/webhooks/backup", nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	done, err := writeWhole(resp.Body, path)
	if err != nil {
		return err
	}
	return printAnswer(cmd, f.json, done, func(w io.Writer) {
		fmt.Fprintf(w, "%s: %d keys, %d bytes\n", path, done.Keys, done.Bytes)
	})
}

// writeWhole writes a backup into a file of another name, makes sure that it is whole and on the disk, and gives it its name.
func writeWhole(from io.Reader, path string) (*backupResult, error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // of mode 0600
	if err != nil {
		return nil, usage(err)
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	var done backupResult
	if done.Bytes, err = io.Copy(tmp, from); err != nil {
		return nil, unreachablef("reading Caddy's answer: %w", err)
	}
	if done.Keys, err = countKeys(tmp); err != nil {
		return nil, unreachablef("what Caddy answered: %w; its log says why", err)
	}
	if err := tmp.Sync(); err != nil {
		return nil, err // the file that has the name, an earlier backup, stays
	}
	return &done, os.Rename(tmp.Name(), path)
}

// countKeys reads a whole backup, to see that it is one. It leaves the file at its beginning.
func countKeys(file io.ReadSeeker) (keys int, err error) {
	if _, err = file.Seek(0, io.SeekStart); err == nil {
		keys, err = backup.Read(file, func(backup.Head) error { return nil }, func(backup.Entry) error { return nil })
	}
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	return keys, err
}
