package apitest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// RequireDelivered requires that a delivery is as the OpenAPI document of the handler at url describes it, under the name in its section
// webhooks: the body fits the schema, its data has the members of the example in their order, and the headers are those of the document.
// With sameData, the data must be that of the example byte for byte.
func RequireDelivered(t *testing.T, url, name string, header http.Header, body []byte, sameData bool) {
	t.Helper()
	res, err := http.Get(url + "/openapi.json")
	require.NoError(t, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	d, err := parseDocument(raw)
	require.NoError(t, err)
	post, ok := d.at("webhooks", name, "post").(map[string]any)
	require.True(t, ok, "the document has no delivery %s", name)
	value, err := parseJSON(body)
	require.NoError(t, err)
	require.NoError(t, d.validate(schemaIn(post["requestBody"]), value, name))

	example := memberAt(t, raw, "webhooks", name, "post", "requestBody", "content", "application/json", "example", "data")
	data := memberAt(t, body, "data")
	if sameData {
		require.Equal(t, string(example), string(data))
	}
	require.Equal(t, memberNames(t, example), memberNames(t, data), "the members of %s, in order", name)

	documented := []string{"Content-Type", "Content-Length", "Accept-Encoding"} // HTTP's own, which the document leaves out
	for _, ref := range post["parameters"].([]any) {
		parameter := d.resolve(ref)
		documented = append(documented, http.CanonicalHeaderKey(parameter["name"].(string)))
		require.True(t, header.Get(parameter["name"].(string)) != "" || parameter["required"] == false, "%s is not sent", parameter["name"])
	}
	for sent := range header {
		require.True(t, slices.Contains(documented, sent), "the document does not name the header %s of a delivery", sent)
	}
}

// memberAt returns the text, unchanged, of the value that a path of member names leads to.
func memberAt(t *testing.T, text json.RawMessage, names ...string) json.RawMessage {
	t.Helper()
	for _, name := range names {
		var object map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(text, &object))
		text = object[name]
	}
	return text
}

// memberNames returns the names of an object's members, in their order.
func memberNames(t *testing.T, object []byte) (list []string) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(object))
	_, err := d.Token()
	require.NoError(t, err)
	for d.More() {
		name, err := d.Token()
		require.NoError(t, err)
		list = append(list, name.(string))
		var value json.RawMessage
		require.NoError(t, d.Decode(&value))
	}
	return list
}
