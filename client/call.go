package client

import (
	"context"
	"errors"
)

// call makes one call of the API and returns what it answers.
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

// at makes a call of an object by its ID: r has the path before the ID, suffix what comes behind.
func at[T any](ctx context.Context, c *Client, r request, id, suffix string) (T, error) {
	path, err := pathWith(r.path, id, suffix)
	if err != nil {
		return *new(T), err
	}
	r.path = path
	return call[T](ctx, c, r)
}

// sendAt makes a call of an object by its ID, with a body.
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

// post asks for something to be done with an object, once.
func post[T any](ctx context.Context, c *Client, prefix, id, suffix string) (T, error) {
	return at[T](ctx, c, request{method: "POST", path: prefix}, id, suffix)
}

// create makes an object, once.
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
	// An earlier try deleted it, and only its answer was lost.
	if e, ok := errors.AsType[*Error](err); ok && e.Code == CodeNotFound && tries > 1 {
		return nil
	}
	return err
}
