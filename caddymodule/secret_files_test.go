package caddymodule

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestLesson74_AChangedFileTakesEffectByItself, and one that can't be used keeps the old secret, loudly.
func TestLesson74_AChangedFileTakesEffectByItself(t *testing.T) {
	s, app := newServer(t), newBackend(t)
	file := filepath.Join(t.TempDir(), "secret")
	write := func(text string) { require.NoError(t, os.WriteFile(file, []byte(text), 0o600)) }
	write(testSecret + "\n")
	s.load("", receiverSite("webhook_receiver videocloud {file."+file+"}", app))
	n := 0
	answer := func() int {
		n++
		resp, _ := do(t, signed(t, s.url("/webhooks"), strings.Repeat("e", n), strings.Repeat(" ", n)+testEvent))
		return resp.StatusCode
	}
	look := func() { must(started.newest()).reloadSecrets() }
	require.Equal(t, http.StatusOK, answer())

	write("another secret of the tests\n")
	look()
	require.Equal(t, http.StatusUnauthorized, answer())
	require.Contains(t, s.logged(), "secrets from files have changed and are in effect")
	write(testSecret + "\r\n")
	look()
	require.Equal(t, http.StatusOK, answer())

	for _, make := range []func(){func() { write("") }, func() { write("\n") }, func() { require.NoError(t, os.Remove(file)) }} {
		make()
		look()
		require.Equal(t, http.StatusOK, answer())
	}
	require.Equal(t, 1, strings.Count(s.logged(), "the secrets before stay in effect"), "not at every look")
	require.NotContains(t, s.logged(), testSecret)
	write("\ufeff" + testSecret)
	look()
	require.Equal(t, http.StatusUnauthorized, answer())
	require.Contains(t, s.logged(), "the secret in "+file+" begins with a byte order mark")
}

func TestSecretsThatAreHardlyMeant(t *testing.T) {
	t.Parallel()
	for text, odd := range map[string]bool{
		"secret": false, "secret\n": false, "secret\r\n": false, "two words": false, "\ufeffsecret": true, "secret \n": true, " secret": true,
		"secret\n\n": true, "secret\r\n\r\n": true, "secret\n\r\n": true, "se\ncret": true, "secret\t": true, "\xff\xfes\x00": true,
	} {
		require.Equal(t, odd, oddSecret([]byte(text)) != "", "%q", text)
	}
}
