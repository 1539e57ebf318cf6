package command

import (
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
	flags.VarP((*dashJSON)(asked), "one-dash-json", "j", "")
	_ = flags.MarkHidden("one-dash-json") // it is defined right above
	return cmd
}

// dashJSON makes -json mean --json: it is the value of the flag -j, and takes nothing but son.
type dashJSON bool

func (d *dashJSON) String() string { return "" }
func (d *dashJSON) Type() string   { return "son" }

func (d *dashJSON) Set(value string) error {
	if value != "son" {
		return errors.New("did you mean --json?")
	}
	*d = true
	return nil
}

// printAnswer prints an answer: as JSON for programs, by text for people.
func printAnswer(cmd *cobra.Command, asJSON bool, v any, text func(w io.Writer)) error {
	w := cmd.OutOrStdout()
	if asJSON {
		return printJSON(w, v)
	}
	text(w)
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
