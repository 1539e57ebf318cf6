package apitest

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Checked returns a handler that answers as h does, and fails the test where an answer differs from the
// OpenAPI document that h serves below basePath. It also checks each request that h accepts: the document
// must allow it.
func Checked(t testing.TB, h http.Handler, basePath string) http.Handler {
	t.Helper()
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, basePath+"/openapi.json", nil))
	require.Equal(t, http.StatusOK, rec.Code)
	d, err := parseDocument(rec.Body.Bytes())
	require.NoError(t, err)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var sent bytes.Buffer
		if r.Body != nil {
			r.Body = struct {
				io.Reader
				io.Closer
			}{io.TeeReader(r.Body, &sent), r.Body}
		}
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		if err := d.check(r, basePath, sent.Bytes(), rec); err != nil {
			t.Errorf("%s %s answered %d %s\nagainst the OpenAPI document: %v", r.Method, r.URL, rec.Code, rec.Body, err)
		}
		maps.Copy(w.Header(), rec.Header())
		w.WriteHeader(rec.Code)
		_, _ = w.Write(rec.Body.Bytes())
	})
}

// check compares an answer with the document. sent is the body of the request.
func (d *document) check(r *http.Request, basePath string, sent []byte, rec *httptest.ResponseRecorder) error {
	for name, want := range map[string]string{
		"Content-Type": "application/json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
		"Content-Length": strconv.Itoa(rec.Body.Len()),
	} {
		if got := rec.Header().Get(name); got != want && r.Method != http.MethodHead {
			return fmt.Errorf("header %s is %q, not %q", name, got, want)
		}
	}
	if r.Method == http.MethodHead {
		if rec.Body.Len() > 0 {
			return fmt.Errorf("HEAD has a body")
		}
		return nil
	}
	body, err := parseJSON(rec.Body.Bytes())
	if err != nil {
		return err
	}
	path, ok := strings.CutPrefix(r.URL.Path, basePath)
	if !ok {
		path = ""
	}
	operation := d.operation(r.Method, path)
	if operation == nil {
		if rec.Code != http.StatusNotFound && rec.Code != http.StatusMethodNotAllowed {
			return fmt.Errorf("status %d of an operation that is not documented", rec.Code)
		}
		return d.validate(d.at("components", "schemas", "ErrorAnswer"), body, "answer")
	}
	response, ok := operation["responses"].(map[string]any)[strconv.Itoa(rec.Code)].(map[string]any)
	if !ok {
		return fmt.Errorf("status %d is not documented", rec.Code)
	}
	if err := d.validate(schemaIn(response), body, "answer"); err != nil {
		return err
	}
	return cmp.Or(checkHeaders(response, rec.Header()), checkCode(response, body), d.checkRequest(operation, rec.Code, sent))
}

// checkHeaders requires that an answer has the headers that its response documents, and none of them where it documents none. Location
// may be missing.
func checkHeaders(response map[string]any, h http.Header) error {
	headers, _ := response["headers"].(map[string]any)
	for _, name := range []string{"WWW-Authenticate", "Retry-After"} {
		if _, documented := headers[name]; documented != (h.Get(name) != "") {
			return fmt.Errorf("header %s: documented %t, sent %q", name, documented, h.Get(name))
		}
	}
	if _, documented := headers["Location"]; !documented && h.Get("Location") != "" {
		return fmt.Errorf("header Location is not documented")
	}
	return nil
}

// checkCode requires that the description of the response names the error's code.
func checkCode(response map[string]any, body any) error {
	answer, _ := body.(map[string]any)
	failure, ok := answer["error"].(map[string]any)
	if !ok {
		return nil
	}
	if !strings.Contains(response["description"].(string), "`"+failure["code"].(string)+"`") {
		return fmt.Errorf("error code %v is not documented for it", failure["code"])
	}
	return nil
}

// checkRequest requires that the schema of a request allows a body that was accepted.
func (d *document) checkRequest(operation map[string]any, status int, sent []byte) error {
	requestBody, hasBody := operation["requestBody"].(map[string]any)
	switch {
	case status >= 300, !hasBody, len(operation["tags"].([]any)) == 0:
		return nil
	case operation["operationId"] == "publishBatch":
		return nil // a batch is accepted with events that are refused
	case len(sent) == 0 && requestBody["required"] == false:
		return nil
	}
	body, err := parseJSON(sent)
	if err != nil {
		return err
	}
	return d.validate(schemaIn(requestBody), body, "request")
}

// contentOf returns what the document says of the JSON of a request body or a response: its schema and examples. It is empty where there is no JSON.
func contentOf(message any) map[string]any {
	described, _ := message.(map[string]any)
	content, _ := described["content"].(map[string]any)
	json, _ := content["application/json"].(map[string]any)
	return json
}

func schemaIn(message any) any { return contentOf(message)["schema"] }

// operation finds the operation of a request; paths without variables come first.
func (d *document) operation(method, path string) map[string]any {
	paths := d.at("paths").(map[string]any)
	templates := make([]string, 0, len(paths))
	for template := range paths {
		templates = append(templates, template)
	}
	slices.Sort(templates) // { sorts after every letter
	for _, template := range templates {
		if !matchesTemplate(path, template) {
			continue
		}
		if o, ok := paths[template].(map[string]any)[strings.ToLower(method)].(map[string]any); ok && method == strings.ToUpper(method) {
			return o
		}
	}
	return nil
}

// matchesTemplate reports whether a path is one of those that a template with variables, such as /webhooks/{id}, stands for.
func matchesTemplate(path, template string) bool {
	want, got := strings.Split(template, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return false
	}
	for i := range want {
		if want[i] != got[i] && (want[i] != "{id}" && want[i] != "{name}" && want[i] != "{account}" || got[i] == "") {
			return false
		}
	}
	return true
}

// operations lists every operation as "METHOD /path".
func (d *document) operations() []string {
	var list []string
	for path, methods := range d.at("paths").(map[string]any) {
		for method := range methods.(map[string]any) {
			list = append(list, strings.ToUpper(method)+" "+path)
		}
	}
	slices.Sort(list)
	return list
}
