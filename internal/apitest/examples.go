package apitest

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// testExamples checks the examples in the OpenAPI document: every request, answer and error has one, each example fits its schema, and
// the API accepts those of requests.
func testExamples(t *testing.T, c *client) {
	d := c.document()
	for _, operation := range d.operations() {
		method, path, _ := strings.Cut(operation, " ")
		described := d.operation(method, path)
		if described["operationId"] == "getOpenAPI" {
			continue
		}
		c.run(described["operationId"].(string), func(t *testing.T, c *client) {
			t.Parallel()
			d.requireExamples(t, described)
			sendExample(t, c, described, method, path)
		})
	}
	for name, described := range d.at("webhooks").(map[string]any) {
		d.requireExample(t, described.(map[string]any)["post"].(map[string]any)["requestBody"], name)
	}
	for _, code := range d.at("components", "schemas", "Error", "properties", "code", "enum").([]any) {
		if code == "method_not_allowed" {
			continue // every path answers it, so that no operation lists it
		}
		require.NotNil(t, d.at("components", "examples", code.(string), "value"), "sender/api/examples.json has no error %s", code)
	}
}

// requireExamples requires that the request and each answer of an operation have examples that fit.
func (d *document) requireExamples(t *testing.T, operation map[string]any) {
	t.Helper()
	if body, hasBody := operation["requestBody"]; hasBody {
		d.requireExample(t, body, "the request")
	}
	for status, response := range operation["responses"].(map[string]any) {
		if status[0] == '2' {
			d.requireExample(t, response, "the answer")
			continue
		}
		examples := contentOf(response)["examples"].(map[string]any)
		require.NotEmpty(t, examples)
		for code, ref := range examples {
			require.NoError(t, d.validate(schemaIn(response), d.resolve(ref)["value"], code))
			require.Contains(t, response.(map[string]any)["description"], "`"+code+"`")
		}
	}
}

// requireExample requires one example that fits, of a request or an answer that messages call name.
func (d *document) requireExample(t *testing.T, message any, name string) {
	t.Helper()
	example, given := contentOf(message)["example"]
	require.True(t, given, "sender/api/examples.json has no example of %s", name)
	require.NoError(t, d.validate(schemaIn(message), example, name))
}

// sendExample sends the example of an operation's request. Where the path has an ID, it is that of a webhook of its own.
func sendExample(t *testing.T, c *client, operation map[string]any, method, path string) {
	const account = accountHeader + "account-a"
	requestBody, hasBody := operation["requestBody"]
	if !hasBody {
		return // such a request has no example
	}
	body := jsonOf(t, contentOf(requestBody)["example"])
	c = c.as(keyAny)
	if strings.Contains(path, "{id}") {
		require.Contains(t, path, "/webhooks/", "for another kind of ID, make here what it names")
		id := c.do("POST", "/webhooks", `{"url":"https://your-server.com/webhooks","events":["*"]}`, account).id(http.StatusCreated)
		path = strings.Replace(path, "{id}", id, 1)
	}
	path = strings.Replace(path, "{name}", "order.paid", 1)
	res := c.do(method, path, body, account)
	if operation["operationId"] == "confirmEmail" {
		res.fails(http.StatusNotFound, "not_found") // only a mail holds the right token
		return
	}
	require.True(t, slices.Contains([]int{200, 201, 202}, res.status), res.body)
}
