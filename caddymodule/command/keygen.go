package command

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

func newKeygen() *cobra.Command {
	var kind string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "keygen",
		Short: "Makes a secret",
		Long: `
Makes a secret and prints it. The kinds are:

  secret       whsec_ and 24 random bytes, for signing webhooks (default)
  encryption   32 random bytes, for the option encryption_key
  ed25519      a pair for the scheme standard: whsk_ signs, whpk_ verifies`,
		Example: `  $ caddy webhook keygen
  $ caddy webhook keygen --type encryption`,
		RunE: noArguments(func(cmd *cobra.Command) error {
			keys, err := keygen(kind)
			if err != nil {
				return err
			}
			return printAnswer(cmd, asJSON, keys, func(w io.Writer) {
				fmt.Fprintln(w, keys.Secret)
				if keys.Public != "" {
					fmt.Fprintln(w, keys.Public)
				}
			})
		}),
	}
	cmd.Flags().StringVar(&kind, "type", "secret", "what to make: secret, encryption or ed25519")
	addJSON(cmd, &asJSON)
	return cmd
}

// keys are what was made: one secret, or a pair.
type keys struct {
	Secret string `json:"secret"`
	Public string `json:"public,omitempty"`
}

func keygen(kind string) (keys, error) {
	switch kind {
	case "secret":
		return keys{Secret: "whsec_" + randomBase64(24)}, nil
	case "encryption":
		return keys{Secret: randomBase64(32)}, nil
	case "ed25519":
		public, private, err := ed25519.GenerateKey(nil)
		if err != nil {
			return keys{}, fmt.Errorf("making a key: %w", err)
		}
		return keys{
			Secret: "whsk_" + base64.StdEncoding.EncodeToString(private),
			Public: "whpk_" + base64.StdEncoding.EncodeToString(public),
		}, nil
	default:
		return keys{}, usagef("type: %q is not secret, encryption or ed25519", kind)
	}
}

func randomBase64(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return base64.StdEncoding.EncodeToString(b)
}
