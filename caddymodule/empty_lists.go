package caddymodule

import (
	"fmt"
	"reflect"
	"strings"
)

// noEmptyLists refuses settings in which a list is written with nothing in it, as JSON alone can: who writes "allow": [] or "retry": []
// hardly means what is so without it, everybody and five attempts. Blocks of settings inside are looked at, too.
func noEmptyLists(settings any) error {
	v := reflect.Indirect(reflect.ValueOf(settings))
	if v.Kind() != reflect.Struct {
		return nil // a block that is not there
	}
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		field := v.Field(i)
		switch {
		case name == "":
		case field.Kind() == reflect.Slice && !field.IsNil() && field.Len() == 0:
			return fmt.Errorf("%s: the list is empty; write something into it, or leave it out for the default", name)
		case field.Kind() == reflect.Pointer:
			if err := noEmptyLists(field.Interface()); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return nil
}
