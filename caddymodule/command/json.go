package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// addJSON defines --json, with one dash too, of cmd, which it returns.
func addJSON(cmd *cobra.Command, asked *bool) *cobra.Command {
	flags := cmd.Flags()
	flags.BoolVar(asked, "json", false, "print JSON, for programs")
	// -json is the flag -j with the value son.
	flags.FuncP("one-dash-json", "j", "", func(value string) error {
		if value != "son" {
			return errors.New("did you mean --json?")
		}
		*asked = true
		return nil
	})
	_ = flags.MarkHidden("one-dash-json") // it is defined right above
	return cmd
}

// printAnswer prints an answer: as JSON for programs, by text for people.
func printAnswer(cmd *cobra.Command, asJSON bool, v any, text func(w io.Writer)) error {
	w := cmd.OutOrStdout()
	if asJSON {
		return printJSON(w, v)
	}
	return printText(w, text)
}

// printText writes what text writes to it, all at once. An output that takes no more, such as a file on a full disk, is an error: else
// the exit status would be 0 for a key that nobody has seen.
func printText(w io.Writer, text func(w io.Writer)) error {
	var all bytes.Buffer
	text(&all)
	if _, err := w.Write(all.Bytes()); err != nil {
		return fmt.Errorf("writing the answer: %w", err)
	}
	return nil
}

// printJSON writes one object on one line.
func printJSON(w io.Writer, v any) error {
	to := json.NewEncoder(w)
	to.SetEscapeHTML(false)
	if err := to.Encode(v); err != nil {
		return fmt.Errorf("writing the answer: %w", err)
	}
	return nil
}
