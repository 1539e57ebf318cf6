package api_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/sender/api"
)

func TestOptionsAreRefusedByName(t *testing.T) {
	t.Parallel()
	const value = "a-key-to-keep-out-of-errors"
	key := api.Key{Value: value}
	for name, row := range map[string]struct {
		options api.Options
		want    string
	}{
		"neither keys nor anonymous": {api.Options{}, "api_key: give at least one"},
		"both":                       {api.Options{Keys: []api.Key{key}, Anonymous: true}, "anonymous: "},
		"empty key":                  {api.Options{Keys: []api.Key{key, {}}}, "api_key: number 2 is empty"},
		"key with a space":           {api.Options{Keys: []api.Key{{Value: value + " x"}}}, "api_key: number 1 can't stand in a header"},
		"key with a line feed":       {api.Options{Keys: []api.Key{{Value: value + "\n"}}}, "api_key: number 1 can't stand in a header"},
		"duplicate key":              {api.Options{Keys: []api.Key{key, {Value: value, Account: "b"}}}, "api_key: number 2 is the same key as number 1"},
		"unknown role":               {api.Options{Keys: []api.Key{{Value: value, Role: "admin"}}}, `api_key: number 1: unknown role "admin"`},
		"odd account":                {api.Options{Keys: []api.Key{{Value: value, Account: "a b"}}}, `api_key: number 1: "a b" is not an account`},
		"base path without a slash":  {api.Options{Keys: []api.Key{key}, BasePath: "api"}, "base_path: "},
		"base path with one too many": {
			api.Options{Keys: []api.Key{key}, BasePath: "/api/"}, "base_path: ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			row.options.Service = newFake()
			_, err := api.New(row.options)
			require.ErrorContains(t, err, row.want)
			require.NotContains(t, err.Error(), value)
		})
	}
	_, err := api.New(api.Options{Anonymous: true})
	require.ErrorContains(t, err, "service")
}

func TestPrintingAKeyDoesNotShowIt(t *testing.T) {
	t.Parallel()
	o := api.Options{Keys: []api.Key{{Value: "a-key-to-hide", Account: "a", Role: api.RoleAll}}}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		require.False(t, strings.Contains(fmt.Sprintf(verb, o.Keys), "a-key-to-hide"), verb)
	}
}
