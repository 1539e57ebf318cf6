package api

import "reflect"

// reads serves a route whose body is a T of so many bytes at most.
func reads[T any](most int64, serve func(c *call, in T) (any, error)) func(c *call) (any, error) {
	p := planOf(reflect.TypeFor[T]())
	return func(c *call) (any, error) {
		in, err := decode[T](c, p, most)
		if err != nil {
			return nil, err
		}
		return serve(c, in)
	}
}

// answerBy gives what the service returns the form that it has in answers: answerBy(form)(service.Call(…)).
func answerBy[A, B any](form func(A) B) func(v A, err error) (any, error) {
	return func(v A, err error) (any, error) {
		if err != nil {
			return nil, err
		}
		return form(v), nil
	}
}

// page is a part of a list in answers. Those of each kind have a type of their own, by which the OpenAPI document names them.
type page[T any] struct {
	Items      []T    `json:"items"`
	NextCursor string `json:"nextCursor,omitempty" doc:"The cursor of the next page, where there is more."`
}

// listed is answerBy for the pages of lists.
func listed[P ~struct{ page[B] }, A, B any](form func(A) B) func(items []A, next string, err error) (any, error) {
	return func(items []A, next string, err error) (any, error) {
		if err != nil {
			return nil, err
		}
		return P{page[B]{Items: formed(items, form), NextCursor: next}}, nil
	}
}

// formed is a list in answers: never null.
func formed[A, B any](items []A, form func(A) B) []B {
	list := make([]B, len(items))
	for i, v := range items {
		list[i] = form(v)
	}
	return list
}
