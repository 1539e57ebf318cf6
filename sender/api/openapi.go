package api

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/videocloud/webhooks/sender"
)

// codes are all codes of errors, in the order of their statuses.
var codes = []sender.Code{
	sender.CodeInvalidJSON, sender.CodeUnauthorized, sender.CodeForbidden, sender.CodeNotFound,
	sender.CodeMethodNotAllowed, sender.CodeConflict, sender.CodePayloadTooLarge, sender.CodeUnsupportedMedia,
	sender.CodeInvalidField, sender.CodeUnknownField, sender.CodeUnknownEventType, sender.CodeUnsafeURL, sender.CodeInvalidData,
	sender.CodeLimitReached, sender.CodeUnavailable, sender.CodeLoop,
}

// The rules of package names, as patterns.
const (
	accountPattern = "^[A-Za-z0-9._-]{1,64}$"
	idPattern      = "^[A-Za-z0-9_-]{1,128}$"
)

// openAPIDocument makes the OpenAPI 3.1 document from the routes, the Go types of their requests and answers, and the deliveries.
func openAPIDocument(version, brand string, anonymous bool, guide []delivered) (*openAPI, error) {
	var given examples
	if err := json.Unmarshal(examplesJSON, &given); err != nil {
		return nil, fmt.Errorf("reading examples.json: %w", err)
	}
	section, parameters, err := deliveredSection(brand, guide)
	if err != nil {
		return nil, err
	}
	s := &schemas{made: map[reflect.Type]bool{}, examples: &given}
	errorAnswer := doc{
		{"type", "object"},
		{"properties", doc{{"success", doc{{"const", false}}}, {"error", s.of(reflect.TypeFor[apiError](), false)}}},
		{"required", []string{"success", "error"}},
	}
	paths := pathsOf(s)
	s.list = append(s.list, member{"ErrorAnswer", errorAnswer})

	d := doc{
		{"openapi", "3.1.0"},
		{"info", doc{
			{"title", "VideoCloud Webhooks"},
			{"version", version},
			{"description", "Register webhooks, publish events, and see what became of them. Delivery is at least once, in no promised order."},
			{"license", doc{{"name", "Apache 2.0"}, {"identifier", "Apache-2.0"}}},
		}},
		{"servers", []doc{{{"url", serverMark}}}},
	}
	components := doc{
		{"schemas", s.list},
		{"examples", given.errorExamples()},
		{"parameters", append(doc{{"account", doc{
			{"name", accountHeader(brand)}, {"in", "header"},
			{"description", "The account to act for. Only a key of every account needs it."},
			{"schema", doc{{"type", "string"}, {"pattern", accountPattern}}},
		}}}, parameters...)},
	}
	if !anonymous {
		d = append(d, member{"security", []doc{{{"bearer", []string{}}}, {{"apiKey", []string{}}}}})
		components = append(components, member{"securitySchemes", doc{
			{"bearer", doc{{"type", "http"}, {"scheme", "bearer"}}},
			{"apiKey", doc{{"type", "apiKey"}, {"in", "header"}, {"name", "X-API-Key"}}},
		}})
	}
	d = append(d,
		member{"tags", []doc{
			{{"name", tagWebhooks}, {"description", "Registered endpoints"}},
			{{"name", tagEvents}, {"description", "What happened"}},
			{{"name", tagDeliveries}, {"description", "One event on its way to one webhook"}},
			{{"name", tagReplays}, {"description", "Sending past deliveries again"}},
			{{"name", tagStats}, {"description", "Figures over time"}},
			{{"name", tagKeys}, {"description", "API keys that are made at run time, and links to the portal"}},
			{{"name", tagAccounts}, {"description", "What owns webhooks and events"}},
			{{"name", tagMeta}, {"description", "This document"}},
			{{"name", tagDelivered}, {"description", "What is sent to webhooks"}},
		}},
		member{"paths", paths},
		member{"webhooks", section},
		member{"components", components},
	)
	var buf bytes.Buffer
	err = encode(&buf, d)
	buf.WriteByte('\n')
	before, after, _ := bytes.Cut(buf.Bytes(), []byte(`"\u0000"`))
	return &openAPI{before: before, after: after, guide: guide}, err
}

func pathsOf(s *schemas) (paths doc) {
	var order []string
	methods := map[string]doc{}
	for i := range routes {
		r := &routes[i]
		if !slices.Contains(order, r.path) {
			order = append(order, r.path)
		}
		methods[r.path] = append(methods[r.path], member{strings.ToLower(r.method), operationOf(s, r)})
	}
	for _, path := range order {
		paths = append(paths, member{path, methods[path]})
	}
	return paths
}

func operationOf(s *schemas, r *route) doc {
	description := strings.TrimSpace(r.description + " " + map[access]string{
		accessOpen: "Needs no key.",
		accessAny:  "Takes any key.",
	}[r.access])
	if description == strings.TrimSpace(r.description) {
		description = strings.TrimSpace(description + " Takes a key for " + quoted(permittedRoles[r.access]) + ".")
	}
	d := doc{
		{"operationId", r.operation},
		{"tags", []string{r.tag}},
		{"summary", r.summary},
		{"description", description},
	}
	if parameters := parametersOf(r); len(parameters) > 0 {
		d = append(d, member{"parameters", parameters})
	}
	if r.request != nil {
		d = append(d, member{"requestBody", doc{{"required", !r.optional}, {"content", content(s.of(r.request, true), s.examples.Operations[r.operation].Request)}}})
	}
	d = append(d, member{"responses", responsesOf(s, r)})
	if r.access == accessOpen {
		d = append(d, member{"security", []doc{}})
	}
	return d
}

// pathBounds are the bounds of the variables in paths.
var pathBounds = map[string]member{"id": {"pattern", idPattern}, "name": {"maxLength", 64}, "account": {"pattern", accountPattern}}

func parametersOf(r *route) (list []doc) {
	if variable := splitPath(r.path).variable; variable != "" {
		list = append(list, doc{{"name", variable}, {"in", "path"}, {"required", true}, {"schema", append(doc{{"type", "string"}}, pathBounds[variable])}})
	}
	for _, name := range r.query {
		list = append(list, queryParameter(name))
	}
	if r.idempotent != "" {
		list = append(list, doc{{"name", idempotencyKey}, {"in", "header"},
			{"description", r.idempotent},
			{"schema", doc{{"type", "string"}, {"pattern", idPattern}}}})
	}
	if r.access != accessOpen {
		list = append(list, doc{{"$ref", "#/components/parameters/account"}})
	}
	return list
}

func queryParameter(name string) doc {
	p := parameters[name]
	schema := p.schema
	if schema.get("type") == nil {
		schema = append(doc{{"type", "string"}}, schema...)
	}
	return doc{{"name", name}, {"in", "query"}, {"description", p.text}, {"schema", schema}}
}

func responsesOf(s *schemas, r *route) doc {
	schema := doc{{"type", "object"}} // the document itself
	if r.answer != nil {
		schema = doc{
			{"type", "object"},
			{"properties", doc{{"success", doc{{"const", true}}}, {"data", s.of(r.answer, false)}}},
			{"required", []string{"success", "data"}},
		}
	}
	success := doc{{"description", http.StatusText(r.success())}}
	if r.location != "" {
		success = append(success, member{"headers", header("Location", "The path of "+r.location+".")})
	}
	responses := doc{{strconv.Itoa(r.success()), append(success, member{"content", content(schema, answered(s.examples.Operations[r.operation].Answer))})}}

	byStatus := map[int][]sender.Code{}
	possible := r.possibleErrors()
	for _, code := range codes {
		if slices.Contains(possible, code) {
			byStatus[statuses[code]] = append(byStatus[statuses[code]], code)
		}
	}
	for _, code := range codes {
		status := statuses[code]
		if byStatus[status] == nil {
			continue
		}
		answer := doc{{"description", fmt.Sprintf("%s: %s", http.StatusText(status), quoted(byStatus[status]))}}
		switch status {
		case http.StatusUnauthorized:
			answer = append(answer, member{"headers", header("WWW-Authenticate", "Bearer.")})
		case http.StatusServiceUnavailable:
			answer = append(answer, member{"headers", header("Retry-After", "Seconds to wait.")})
		}
		answer = append(answer, member{"content", errorContent(byStatus[status])})
		responses = append(responses, member{strconv.Itoa(status), answer})
		delete(byStatus, status)
	}
	return responses
}

// quoted is joined with each word in backticks.
func quoted[T ~string](list []T) string {
	return "`" + strings.ReplaceAll(joined(list), ", ", "`, `") + "`"
}

func header(name, text string) doc {
	return doc{{name, doc{{"description", text}, {"schema", doc{{"type", "string"}}}}}}
}

// possibleErrors returns the codes that a route can answer, but for those of requests that reach no route.
func (r *route) possibleErrors() []sender.Code {
	list := append([]sender.Code{sender.CodeInvalidField, sender.CodeUnknownField}, r.errors...) // the query's
	if r.method != http.MethodGet && r.method != http.MethodDelete {
		list = append(list, bodyErrors...)
	}
	if r.access != accessOpen {
		list = append(list, sender.CodeUnauthorized, sender.CodeForbidden, sender.CodeUnavailable)
	}
	return list
}

// examplesJSON holds a request and an answer of each operation, and a message of each error. Tests check them against the
// schemas, and send each request.
//
//go:embed examples.json
var examplesJSON []byte

// examples is the content of examples.json.
type examples struct {
	Operations map[string]struct{ Request, Answer json.RawMessage }
	Errors     map[sender.Code]json.RawMessage
}

// content describes a body in JSON: its schema, and an example where there is one.
func content(schema doc, example any) doc {
	d := doc{{"schema", schema}}
	if raw, isRaw := example.(json.RawMessage); !isRaw || len(raw) > 0 {
		d = append(d, member{"example", example})
	}
	return doc{{"application/json", d}}
}

// answered returns an answer with the given data.
func answered(data json.RawMessage) any {
	if len(data) == 0 {
		return json.RawMessage(nil)
	}
	return doc{{"success", true}, {"data", data}}
}

// errorExamples returns an example of each error, for the components of the document.
func (e *examples) errorExamples() (list doc) {
	for _, code := range codes {
		var said apiError
		if err := json.Unmarshal(e.Errors[code], &said); err != nil {
			continue // a test asks for each
		}
		said.Code = code
		list = append(list, member{string(code), doc{{"value", doc{{"success", false}, {"error", said}}}}})
	}
	return list
}

// errorContent describes the body of a status, with an example of each of its codes.
func errorContent(codes []sender.Code) doc {
	var list doc
	for _, code := range codes {
		list = append(list, member{string(code), doc{{"$ref", "#/components/examples/" + string(code)}}})
	}
	return doc{{"application/json", doc{{"schema", doc{{"$ref", "#/components/schemas/ErrorAnswer"}}}, {"examples", list}}}}
}
