package sdk_test

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestOpenAPIByOthers has validators that are not ours read the API's document: whoever generates a client from it uses such ones.
func TestOpenAPIByOthers(t *testing.T) {
	t.Parallel()
	need(t, "npm")
	dir := filepath.Join(copied(t, "testdata/openapi"), "testdata/openapi")
	if why := install(t, dir); why != "" {
		giveUp(t, "%s", why)
	}
	resp, err := http.Get(startSystem(t).url + "/openapi.json")
	require.NoError(t, err)
	defer resp.Body.Close()
	document, err := io.ReadAll(resp.Body)
	require.NoError(t, err)

	check := func(document []byte) ([]byte, error) {
		cmd := command(t, dir, os.Environ(), "node", "openapi.mjs")
		cmd.Stdin = bytes.NewReader(document)
		return cmd.CombinedOutput()
	}
	out, err := check(document)
	require.NoError(t, err, "%s", tail(out))
	for what, wrong := range map[string][2]string{
		"the document": {`"openapi":"3.1.0"`, `"openapi":"3.1.0","paths2":{}`},
		"a schema":     {`"type":"boolean"`, `"type":"bool"`},
		"an example":   {`"duplicate":false`, `"duplicate":"no"`},
	} {
		broken := bytes.ReplaceAll(document, []byte(wrong[0]), []byte(wrong[1]))
		require.NotEqual(t, document, broken, what)
		out, err := check(broken)
		require.Error(t, err, "%s is wrong, and taken: %s", what, out)
	}
}
