package command

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
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
	vectors := readVectors(t)
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

// TestVectorsFindTheirScheme verifies every vector without saying by which scheme. What is right is found, and where nothing tells two
// schemes apart both are named; what is wrong is no other provider's.
func TestVectorsFindTheirScheme(t *testing.T) {
	t.Parallel()
	for _, v := range readVectors(t) {
		t.Run(v.ID, func(t *testing.T) {
			t.Parallel()
			body, err := base64.StdEncoding.DecodeString(v.BodyB64)
			require.NoError(t, err)
			args := v.args(t)
			args[2] = schemeAuto
			r := call(t, string(body), append(args, "--json")...)
			require.Contains(t, []int{0, 1, 2}, r.status)
			switch {
			case v.Valid:
				require.Zero(t, r.status, "%s%s", r.stdout, r.stderr)
				require.Contains(t, v.named(t, r.stdout), signature.Canonical(v.Scheme))
			case v.ID == "standard-webhooks-38": // made by OpenAI's library, which alone takes it
				require.Equal(t, []string{"openai"}, v.named(t, r.stdout))
			case v.ID == "polar-03": // right, for anyone but Polar who follows Standard Webhooks
				require.Equal(t, []string{"standard", "lithic"}, v.named(t, r.stdout))
			default:
				require.NotZero(t, r.status, "%s%s", r.stdout, r.stderr)
			}
			if signature.Keyless(v.Scheme) {
				return // its keys may be options, too
			}
			// Without a secret nothing is right that has one.
			var bare []string
			for i := 0; i < len(args); i += 2 {
				if args[i] == "verify" {
					bare = append(bare, "verify")
					i--
				} else if args[i] != "--secret" {
					bare = append(bare, args[i:i+2]...)
				}
			}
			r = call(t, string(body), bare...)
			require.NotZero(t, r.status, "%s%s", r.stdout, r.stderr)
		})
	}
}

// named are the schemes that an answer in JSON names.
func (v *vector) named(t *testing.T, answer string) []string {
	var a verdict
	require.NoError(t, json.Unmarshal([]byte(answer), &a), answer)
	return strings.Split(a.Scheme, " or ")
}

// readVectors reads both files.
func readVectors(t *testing.T) []vector {
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
	return vectors
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
