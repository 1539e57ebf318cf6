package command

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/signature"
)

// vector is one line of the signature vectors.
type vector struct {
	ID           string         `json:"id"`
	Scheme       string         `json:"scheme"`
	Secret       *string        `json:"secret"`
	SecretB64    string         `json:"secret_b64"`
	ExtraSecrets []string       `json:"extra_secrets"`
	Headers      map[string]any `json:"headers"`
	BodyB64      string         `json:"body_b64"`
	URL          string         `json:"url"`
	Method       string         `json:"method"`
	Now          *int64         `json:"now"`
	Tolerance    *int           `json:"tolerance"`
	Valid        bool           `json:"valid"`
	Params       map[string]any `json:"params"`
}

// TestVectors runs the vectors through the command line. Which vector is right is the verifier's matter and tested there; here
// it is that nothing gets lost between the shell and the verifier.
func TestVectors(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("WEBHOOK_VECTORS")
	if dir == "" {
		t.Skip("WEBHOOK_VECTORS names no folder with vectors.json")
	}
	var vectors []vector
	for _, file := range []string{"vectors.json", "vectors-2.json"} {
		text, err := os.ReadFile(filepath.Join(dir, file))
		require.NoError(t, err)
		var more []vector
		require.NoError(t, json.Unmarshal(text, &more))
		vectors = append(vectors, more...)
	}
	known := map[string]bool{}
	for _, scheme := range signature.Schemes() {
		for _, name := range append(scheme.Aliases, scheme.Name) {
			known[name] = true
		}
	}
	for _, v := range vectors {
		if !known[v.Scheme] {
			continue // not built in yet
		}
		t.Run(v.ID, func(t *testing.T) {
			t.Parallel()
			body, err := base64.StdEncoding.DecodeString(v.BodyB64)
			require.NoError(t, err)
			r := call(t, string(body), v.args(t)...)
			require.Contains(t, []int{0, 1, 2}, r.status)
			require.Equal(t, v.Valid, r.status == 0, "%s%s", r.stdout, r.stderr)
		})
	}
}

func (v *vector) args(t *testing.T) []string {
	args := []string{"verify", "--scheme", v.Scheme}
	if v.SecretB64 != "" {
		secret, err := base64.StdEncoding.DecodeString(v.SecretB64)
		require.NoError(t, err)
		file := filepath.Join(t.TempDir(), "secret")
		require.NoError(t, os.WriteFile(file, secret, 0o600))
		args = append(args, "--secret", "@"+file)
	} else if v.Secret != nil {
		args = append(args, "--secret", *v.Secret)
	}
	for _, secret := range v.ExtraSecrets {
		args = append(args, "--secret", secret)
	}
	for name, value := range v.Headers {
		values, ok := value.([]any)
		if !ok {
			values = []any{value}
		}
		for _, one := range values {
			args = append(args, "--header", name+": "+one.(string))
		}
	}
	for name, value := range v.Params {
		text, ok := value.(string)
		if !ok {
			raw, err := json.Marshal(value)
			require.NoError(t, err)
			text = string(raw)
		}
		args = append(args, "--option", name+"="+text)
	}
	if v.URL != "" {
		args = append(args, "--url", v.URL)
	}
	if v.Method != "" {
		args = append(args, "--method", v.Method)
	}
	if v.Now != nil {
		args = append(args, "--now", strconv.FormatInt(*v.Now, 10))
	}
	if v.Tolerance == nil {
		return append(args, "--tolerance", "off")
	}
	return append(args, "--tolerance", strconv.Itoa(*v.Tolerance))
}
