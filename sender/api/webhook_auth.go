package api

import (
	"reflect"

	"github.com/videocloud/webhooks/internal/jsonscan"
	"github.com/videocloud/webhooks/sender"
)

// newAuth holds the credentials that an endpoint asks of its callers. It is read as a [sender.Auth], which knows what belongs to
// which type; the structs below describe each type.
type newAuth struct{ sender.Auth }

// authUpdate is a newAuth, or what GET answers, which changes nothing. null removes the credentials.
type authUpdate struct{ sender.Auth }

type (
	basicAuth struct {
		Type     string `json:"type" required:"true" enum:"basic"`
		Username string `json:"username" required:"true" min:"1" max:"256" pattern:"^[^:]*$"`
		Password string `json:"password" required:"true" min:"1" max:"1024"`
	}
	bearerAuth struct {
		Type  string `json:"type" required:"true" enum:"bearer"`
		Token string `json:"token" required:"true" min:"1" max:"4096" doc:"Sent as Authorization: Bearer."`
	}
	oauth2Auth struct {
		Type         string `json:"type" required:"true" enum:"oauth2"`
		TokenURL     string `json:"tokenUrl" required:"true" format:"uri" min:"1" max:"2048" doc:"Of the authorization server, under the same rules as url."`
		ClientID     string `json:"clientId" required:"true" min:"1" max:"256"`
		ClientSecret string `json:"clientSecret" required:"true" min:"1" max:"1024"`
		Scope        string `json:"scope" max:"1024" doc:"Names separated by spaces."`
	}
	mtlsAuth struct {
		Type        string `json:"type" required:"true" enum:"mtls"`
		Certificate string `json:"certificate" required:"true" min:"1" max:"16384" doc:"The client certificate in PEM, followed by those between it and its root."`
		Key         string `json:"key" required:"true" min:"1" max:"16384" doc:"Its private key in PEM, unencrypted."`
	}
	// shownAuth is the part of it that answers show.
	shownAuth struct {
		Type        sender.AuthType `json:"type" required:"true" enum:"basic,bearer,oauth2,mtls"`
		Username    string          `json:"username,omitempty"`
		TokenURL    string          `json:"tokenUrl,omitempty" format:"uri"`
		ClientID    string          `json:"clientId,omitempty"`
		Scope       string          `json:"scope,omitempty"`
		Certificate string          `json:"certificate,omitempty"`
	}
	// unchangedAuth is a shownAuth in a request, which has no other members.
	unchangedAuth shownAuth
)

var authShapes = []reflect.Type{
	reflect.TypeFor[basicAuth](), reflect.TypeFor[bearerAuth](), reflect.TypeFor[oauth2Auth](), reflect.TypeFor[mtlsAuth](),
}

func (newAuth) choices() []reflect.Type { return authShapes }

func (authUpdate) choices() []reflect.Type {
	return append(authShapes[:len(authShapes):len(authShapes)], reflect.TypeFor[unchangedAuth]())
}

// readAuth reads a [newAuth] or [authUpdate].
func readAuth() reader {
	members := planOf(reflect.TypeFor[sender.Auth]())
	return func(f *field, raw []byte, v reflect.Value) *sender.Error {
		if raw[0] != '{' {
			return invalid(f.name, "must be an object with a type: basic, bearer, oauth2 or mtls")
		}
		s := &scanner{Scanner: jsonscan.New(raw)}
		_ = members.read(s, v.Field(0)) // its form was checked before
		if s.refused != nil {
			within := *s.refused
			within.Message = f.name + ": " + within.Message
			if within.Field != "" {
				within.Field = f.name + "." + within.Field
			}
			return &within
		}
		if v.Field(0).Field(0).Len() == 0 {
			return invalid(f.name+".type", "is required: basic, bearer, oauth2 or mtls")
		}
		return nil
	}
}

func shownAuthOf(a *sender.Auth) *shownAuth {
	if a == nil {
		return nil
	}
	return &shownAuth{Type: a.Type, Username: a.Username, TokenURL: a.TokenURL, ClientID: a.ClientID, Scope: a.Scope, Certificate: a.Certificate}
}
