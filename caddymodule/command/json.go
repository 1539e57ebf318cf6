package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// addJSON defines --json, with one dash too.
func addJSON(cmd *cobra.Command, asked *bool) {
	flags := cmd.Flags()
	flags.BoolVar(asked, "json", false, "print JSON, for programs")
	flags.VarP((*dashJSON)(asked), "one-dash-json", "j", "")
	_ = flags.MarkHidden("one-dash-json") // it is defined right above
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

// printJSON writes one object on one line.
func printJSON(w io.Writer, v any) error {
	to := json.NewEncoder(w)
	to.SetEscapeHTML(false)
	if err := to.Encode(v); err != nil {
		return fmt.Errorf("writing the answer: %w", err)
	}
	return nil
}
