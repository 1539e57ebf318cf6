package client

import (
	"context"
	"errors"
	"net/url"
)

// call makes one call of the API and returns the data of its answer.
func call[T any](ctx context.Context, c *Client, r request) (T, error) {
	var out T
	_, err := c.do(ctx, r, &out)
	return out, err
}

// get reads an object, or with Page as T a page of a list.
func get[T any](ctx context.Context, c *Client, query url.Values, path ...string) (T, error) {
	return call[T](ctx, c, request{method: "GET", path: path, query: query, repeat: true})
}

// post makes an object of in, or requests an action; in is nil for one without a body. It is not retried.
func post[T any](ctx context.Context, c *Client, in any, path ...string) (T, error) {
	return call[T](ctx, c, request{method: "POST", path: path, in: in})
}

// remove deletes an object.
func remove(ctx context.Context, c *Client, path ...string) error {
	tries, err := c.do(ctx, request{method: "DELETE", path: path, repeat: true}, nil)
	// Not found after a retry: an earlier try deleted the object, and its answer was lost.
	if e, ok := errors.AsType[*Error](err); ok && e.Code == CodeNotFound && tries > 1 {
		return nil
	}
	return err
}
