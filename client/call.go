package client

import (
	"context"
	"errors"
)

// call makes one call of the API and returns the data of its answer.
func call[T any](ctx context.Context, c *Client, r request) (T, error) {
	var out T
	_, err := c.do(ctx, r, &out)
	return out, err
}

// send makes a call with a body.
func send[T any](ctx context.Context, c *Client, r request, in any) (T, error) {
	body, err := encode(in)
	if err != nil {
		return *new(T), err
	}
	r.body = body
	return call[T](ctx, c, r)
}

// at makes a call for the object of an ID: r.path is the path before the ID, and suffix what follows the ID.
func at[T any](ctx context.Context, c *Client, r request, id, suffix string) (T, error) {
	path, err := pathWith(r.path, id, suffix)
	if err != nil {
		return *new(T), err
	}
	r.path = path
	return call[T](ctx, c, r)
}

// sendAt is at with a body.
func sendAt[T any](ctx context.Context, c *Client, r request, id, suffix string, in any) (T, error) {
	path, err := pathWith(r.path, id, suffix)
	if err != nil {
		return *new(T), err
	}
	r.path = path
	return send[T](ctx, c, r, in)
}

// get reads one object by its ID.
func get[T any](ctx context.Context, c *Client, prefix, id string) (T, error) {
	return at[T](ctx, c, request{method: "GET", path: prefix, repeat: true}, id, "")
}

// post requests an action on an object. It is not retried.
func post[T any](ctx context.Context, c *Client, prefix, id, suffix string) (T, error) {
	return at[T](ctx, c, request{method: "POST", path: prefix}, id, suffix)
}

// create makes an object. It is not retried.
func create[T any](ctx context.Context, c *Client, path string, in any) (T, error) {
	return send[T](ctx, c, request{method: "POST", path: path}, in)
}

// remove deletes an object by its ID.
func remove(ctx context.Context, c *Client, prefix, id string) error {
	path, err := pathWith(prefix, id, "")
	if err != nil {
		return err
	}
	tries, err := c.do(ctx, request{method: "DELETE", path: path, repeat: true}, nil)
	// Not found after a retry: an earlier try deleted the object, and its answer was lost.
	if e, ok := errors.AsType[*Error](err); ok && e.Code == CodeNotFound && tries > 1 {
		return nil
	}
	return err
}
