package api

import (
	_ "embed"
	"encoding/json"
	"fmt"

	"github.com/videocloud/webhooks/sender"
)

// examplesJSON holds a request and an answer of each operation, and a message of each error. Tests check them against the
// schemas, and send each request.
//
//go:embed examples.json
var examplesJSON []byte

// examples are those of examples.json.
type examples struct {
	Operations map[string]struct{ Request, Answer json.RawMessage }
	Errors     map[sender.Code]json.RawMessage
}

func readExamples() (e examples, err error) {
	if err := json.Unmarshal(examplesJSON, &e); err != nil {
		return e, fmt.Errorf("reading examples.json: %w", err)
	}
	return e, nil
}

// content is a body in JSON: its schema, and an example where there is one.
func content(schema doc, example any) doc {
	d := doc{{"schema", schema}}
	if raw, isRaw := example.(json.RawMessage); !isRaw || len(raw) > 0 {
		d = append(d, member{"example", example})
	}
	return doc{{"application/json", d}}
}

// answered is an answer around its data.
func answered(data json.RawMessage) any {
	if len(data) == 0 {
		return json.RawMessage(nil)
	}
	return doc{{"success", true}, {"data", data}}
}

// errorExamples are one of each error, for the components of the document.
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

// errorContent is the body of one status, with an example of each of its codes.
func errorContent(codes []sender.Code) doc {
	var list doc
	for _, code := range codes {
		list = append(list, member{string(code), doc{{"$ref", "#/components/examples/" + string(code)}}})
	}
	return doc{{"application/json", doc{{"schema", doc{{"$ref", "#/components/schemas/ErrorAnswer"}}}, {"examples", list}}}}
}
