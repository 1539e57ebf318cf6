package apitest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// testExamples holds the examples of the OpenAPI document: there is one of every request, answer and error, each fits its schema, and
// each request is accepted.
func testExamples(t *testing.T, c *client) {
	d := c.document()
	for _, operation := range d.operations() {
		method, path, _ := strings.Cut(operation, " ")
		described := d.operation(method, path)
		if described["operationId"] == "getOpenAPI" {
			continue
		}
		t.Run(described["operationId"].(string), func(t *testing.T) {
			t.Parallel()
			d.requireExamples(t, described)
			sendExample(t, c.in(t), described, method, path)
		})
	}
	for name, described := range d.at("webhooks").(map[string]any) {
		post := described.(map[string]any)["post"].(map[string]any)
		d.requireExample(t, post["requestBody"], name)
	}
	for _, code := range d.at("components", "schemas", "Error", "properties", "code", "enum").([]any) {
		if code == "method_not_allowed" {
			continue // no operation answers it
		}
		require.NotNil(t, d.at("components", "examples", code.(string), "value"), "sender/api/examples.json has no error %s", code)
	}
}

func (d *document) requireExamples(t *testing.T, operation map[string]any) {
	t.Helper()
	if body, takes := operation["requestBody"]; takes {
		d.requireExample(t, body, "the request")
	}
	for status, response := range operation["responses"].(map[string]any) {
		if status[0] == '2' {
			d.requireExample(t, response, "the answer")
			continue
		}
		described := response.(map[string]any)
		examples := described["content"].(map[string]any)["application/json"].(map[string]any)["examples"].(map[string]any)
		require.NotEmpty(t, examples)
		for code, ref := range examples {
			require.NoError(t, d.validate(schemaIn(described), d.resolve(ref)["value"], code))
			require.Contains(t, described["description"], "`"+code+"`")
		}
	}
}

func (d *document) requireExample(t *testing.T, v any, of string) {
	t.Helper()
	body := v.(map[string]any)
	example, given := body["content"].(map[string]any)["application/json"].(map[string]any)["example"]
	require.True(t, given, "sender/api/examples.json has no example of %s", of)
	require.NoError(t, d.validate(schemaIn(body), example, of))
}

// sendExample sends the example of a request to things of its own.
func sendExample(t *testing.T, c *client, operation map[string]any, method, path string) {
	const account = "X-VideoCloud-Account: account-a"
	v, takes := operation["requestBody"].(map[string]any)
	if !takes {
		return // such a request is its path
	}
	text, err := json.Marshal(v["content"].(map[string]any)["application/json"].(map[string]any)["example"])
	require.NoError(t, err)
	body := string(text)
	every := c.as(keyAny)
	if strings.Contains(path, "{id}") {
		hook := every.do("POST", "/webhooks", `{"url":"https://your-server.com/webhooks","events":["*"]}`, account).ok(http.StatusCreated)
		id := hook["id"].(string)
		require.Contains(t, path, "/webhooks/", "make here what else the ID of such a path may name")
		path = strings.Replace(path, "{id}", id, 1)
	}
	path = strings.Replace(path, "{name}", "order.paid", 1)
	res := every.do(method, path, body, account)
	if operation["operationId"] == "confirmEmail" {
		code, _ := res.failure(http.StatusNotFound) // whose token only a mail holds
		require.Equal(t, "not_found", code)
		return
	}
	require.True(t, slices.Contains([]int{200, 201, 202}, res.status), res.body)
}
