package apitest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// RequireDelivered checks a delivery against an entry of the webhooks section of the OpenAPI document at url: its body fits the
// schema and has the members of the example in their order, and its headers are those that stand there. With data, the example's
// data are byte for byte those delivered.
func RequireDelivered(t *testing.T, url, name string, header http.Header, body []byte, data bool) {
	t.Helper()
	res, err := http.Get(url + "/openapi.json")
	require.NoError(t, err)
	defer res.Body.Close()
	var raw bytes.Buffer
	_, err = raw.ReadFrom(res.Body)
	require.NoError(t, err)
	d, err := parseDocument(raw.Bytes())
	require.NoError(t, err)
	post, ok := d.at("webhooks", name, "post").(map[string]any)
	require.True(t, ok, "the document has no delivery %s", name)
	value, err := parse(body)
	require.NoError(t, err)
	requestBody := post["requestBody"].(map[string]any)
	require.NoError(t, d.validate(schemaIn(requestBody), value, name))

	var document struct {
		Webhooks map[string]struct {
			Post struct {
				RequestBody struct {
					Content map[string]struct {
						Example struct{ Data json.RawMessage }
					}
				}
			}
		}
	}
	require.NoError(t, json.Unmarshal(raw.Bytes(), &document))
	example := document.Webhooks[name].Post.RequestBody.Content["application/json"].Example.Data
	var sent struct{ Data json.RawMessage }
	require.NoError(t, json.Unmarshal(body, &sent))
	if data {
		require.Equal(t, string(example), string(sent.Data))
	}
	require.Equal(t, memberNames(t, example), memberNames(t, sent.Data), "the members of %s, in order", name)

	known := []string{"Content-Type", "Content-Length", "Accept-Encoding"} // of HTTP itself
	for _, ref := range post["parameters"].([]any) {
		parameter := d.resolve(ref)
		known = append(known, http.CanonicalHeaderKey(parameter["name"].(string)))
		require.True(t, header.Get(parameter["name"].(string)) != "" || parameter["required"] == false, "%s is not sent", parameter["name"])
	}
	for sent := range header {
		require.True(t, slices.Contains(known, sent), "the document does not name the header %s of a delivery", sent)
	}
}

// memberNames are those of an object's members, in their order.
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
