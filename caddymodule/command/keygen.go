package command

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"

	"github.com/spf13/cobra"
)

func newKeygen() *cobra.Command {
	var kind string
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
		RunE: runner(func(cmd *cobra.Command) error {
			lines, err := keygen(kind)
			for _, line := range lines {
				fmt.Fprintln(cmd.OutOrStdout(), line)
			}
			return err
		}),
	}
	cmd.Flags().StringVar(&kind, "type", "secret", "what to make: secret, encryption or ed25519")
	return cmd
}

func keygen(kind string) (lines []string, err error) {
	switch kind {
	case "secret":
		return []string{"whsec_" + randomBase64(24)}, nil
	case "encryption":
		return []string{randomBase64(32)}, nil
	case "ed25519":
		public, private, err := ed25519.GenerateKey(nil)
		if err != nil {
			return nil, fmt.Errorf("making a key: %w", err)
		}
		return []string{
			"whsk_" + base64.StdEncoding.EncodeToString(private),
			"whpk_" + base64.StdEncoding.EncodeToString(public),
		}, nil
	default:
		return nil, usagef("type: %q is not secret, encryption or ed25519", kind)
	}
}

func randomBase64(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return base64.StdEncoding.EncodeToString(b)
}
