package signature

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// vector is one entry of vectors.json.
type vector struct {
	ID           string         `json:"id"`
	Scheme       string         `json:"scheme"`
	Secret       string         `json:"secret"`
	SecretB64    string         `json:"secret_b64"`
	ExtraSecrets []string       `json:"extra_secrets"`
	Headers      map[string]any `json:"headers"`
	BodyB64      string         `json:"body_b64"`
	URL          string         `json:"url"`
	Method       string         `json:"method"`
	Now          *int64         `json:"now"`
	Tolerance    *int64         `json:"tolerance"`
	Valid        bool           `json:"valid"`
	Fail         string         `json:"fail"`
	Params       map[string]any `json:"params"`
	Why          string         `json:"why"`
}

func TestVectors(t *testing.T) {
	t.Parallel()
	folder := os.Getenv("WEBHOOK_VECTORS")
	if folder == "" {
		t.Skip("skipped: WEBHOOK_VECTORS does not name the folder with vectors.json")
	}
	for _, file := range []string{"vectors.json", "vectors-2.json"} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			runVectors(t, filepath.Join(folder, file))
		})
	}
}

// TestOwnVectors runs the vectors that belong to the project: computed ones and those of RFC 4231.
func TestOwnVectors(t *testing.T) {
	t.Parallel()
	runVectors(t, filepath.Join("testdata", "vectors.json"))
}

func runVectors(t *testing.T, file string) {
	for _, v := range readVectors(t, file) {
		t.Run(v.ID, func(t *testing.T) {
			t.Parallel()
			res, err := v.verify(t)
			if v.Valid {
				require.NoError(t, err, v.Why)
				require.Zero(t, res.Secret)
				return
			}
			require.Error(t, err, v.Why)
			var refused *Error
			if !errors.As(err, &refused) {
				require.Truef(t, errors.Is(err, ErrSecret) || errors.Is(err, ErrOption), "%v", err)
				require.NotEqual(t, "timestamp", v.Fail, v.Why)
				return
			}
			require.Equal(t, v.Fail == "timestamp", refused.Reason == ReasonTimestamp, "%v: %s", err, v.Why)
		})
	}
}

func readVectors(t testing.TB, file string) []vector {
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var vectors []vector
	require.NoError(t, json.Unmarshal(text, &vectors))
	require.NotEmpty(t, vectors)
	return vectors
}

func (v *vector) config() Config {
	c := Config{Scheme: v.Scheme, Options: v.options(), URL: v.URL, Transport: nowhere{}}
	if v.Secret != "" || v.SecretB64 != "" || !Keyless(v.Scheme) {
		c.Secrets = append([]string{v.Secret}, v.ExtraSecrets...)
	}
	if v.SecretB64 != "" {
		c.Options = map[string]string{"secret_encoding": "base64"}
		c.Secrets[0] = v.SecretB64
	}
	if v.Tolerance == nil {
		c.ToleranceOff = true
	} else {
		c.Tolerance = time.Duration(*v.Tolerance) * time.Second
	}
	return c
}

// options are the params, of which some are objects.
func (v *vector) options() map[string]string {
	options := map[string]string{}
	for name, value := range v.Params {
		text, ok := value.(string)
		if !ok {
			raw, _ := json.Marshal(value)
			text = string(raw)
		}
		options[name] = text
	}
	return options
}

// nowhere fails whoever dials: the vectors bring their keys.
type nowhere struct{}

func (nowhere) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("nothing is fetched in tests")
}

func (v *vector) request(t testing.TB) *Request {
	body, err := base64.StdEncoding.DecodeString(v.BodyB64)
	require.NoError(t, err)
	h := http.Header{}
	for name, value := range v.Headers {
		switch value := value.(type) {
		case string:
			h.Add(name, value)
		case []any:
			for _, one := range value {
				h.Add(name, one.(string))
			}
		}
	}
	return &Request{Method: v.Method, URL: v.URL, Header: h, Body: body}
}

func (v *vector) verify(t testing.TB) (Result, error) {
	verifier, err := New(v.config())
	if err != nil {
		return Result{}, err
	}
	now := time.Unix(1_700_000_000, 0)
	if v.Now != nil {
		now = time.Unix(*v.Now, 0)
	}
	return verifier.Verify(v.request(t), now)
}
