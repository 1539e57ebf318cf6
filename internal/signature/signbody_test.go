package signature

import (
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const partsType = "multipart/form-data; boundary=b"

// TestLesson71_WhatIsSignedInTheBodyCanBeSigned: what SignBody returns is what the verifier takes, in every form of body that it knows, and
// another secret takes none of it. A body that is signed already is signed anew, as its time or its fields may be others.
func TestLesson71_WhatIsSignedInTheBodyCanBeSigned(t *testing.T) {
	t.Parallel()
	adyenKey := strings.Repeat("44", 32)
	public, private, wrong := pair(t, algRSA256)
	for name, test := range map[string]struct {
		config    Config
		wrong     string
		kind      string
		body      string
		id, event string
		keeps     string // of the body
	}{
		"adyen-standard": {config: Config{Scheme: "adyen-standard", Secrets: []string{adyenKey}}, wrong: strings.Repeat("55", 32),
			body: `{"live":"false", "notificationItems":[{"NotificationRequestItem":{"pspReference":"7","eventCode":"AUTHORISATION","success":"true","amount":{"value":1130,"currency":"EUR"}}},` +
				`{"NotificationRequestItem":{"additionalData":{"a":"b","hmacSignature":"old"},"pspReference":"8"}},{"NotificationRequestItem":{"additionalData":{ }}}]}`, event: "AUTHORISATION", keeps: `{"live":"false", `},
		"mailgun, JSON":         {config: Config{Scheme: "mailgun"}, body: `{"event-data":{"event":"opened"}}`, id: "mine", event: "opened", keeps: `"event-data":{"event":"opened"}`},
		"mailgun, JSON, old":    {config: Config{Scheme: "mailgun"}, body: `{"signature":{"timestamp":"1","token":"x","signature":"y","parent":"z"},"event-data":{"event":"opened"}}`, id: "mine", event: "opened", keeps: `"parent":"z"`},
		"mailgun, form":         {config: Config{Scheme: "mailgun"}, kind: formType, body: "event=opened&a=b+c", id: "mine", event: "opened", keeps: "a=b+c"},
		"mailgun, form, signed": {config: Config{Scheme: "mailgun"}, kind: formType, body: "event=opened&token=old&timestamp=1&signature=x", id: "mine", event: "opened"},
		"braintree, XML":        {config: Config{Scheme: "braintree", Options: map[string]string{"public_key": "pk"}}, body: "<notification><kind>check</kind></notification>\n"},
		"braintree, form":       {config: Config{Scheme: "braintree", Options: map[string]string{"public_key": "pk"}}, body: "bt_payload=PG4vPg%3D%3D%0A&bt_signature=old", keeps: "PG4vPg%3D%3D%0A"},
		"figma":                 {config: Config{Scheme: "figma"}, body: `{"event_type":"PING"}`, event: "PING", keeps: `"event_type":"PING"`},
		"figma, another":        {config: Config{Scheme: "figma"}, body: `{"event_type":"PING", "passcode":"other"}`, event: "PING"},
		"meraki":                {config: Config{Scheme: "meraki"}, body: `{}`},
		"microsoft-graph":       {config: Config{Scheme: "microsoft-graph"}, body: `{"value":[{"subscriptionId":"1"},{"clientState":"other"}]}`, keeps: `"subscriptionId":"1"`},
		"wix":                   {config: Config{Scheme: "wix", Secrets: []string{private}}, wrong: wrong, body: `{"data":"{}"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := test.config
			if c.Secrets == nil {
				c.Secrets, test.wrong = []string{`a "secret" <of> ours`}, "another"
			}
			v, err := New(c)
			require.NoError(t, err)
			r := &Request{Method: http.MethodPost, Header: http.Header{}, Body: []byte(test.body)}
			if test.kind != "" {
				r.Header.Set("Content-Type", test.kind)
			}
			_, err = v.Sign(r, "", noon)
			require.ErrorIs(t, err, ErrCannotSign)
			require.ErrorContains(t, err, "caddy webhook send")

			given := string(r.Body)
			r.Body, err = v.SignBody(r, test.id, noon)
			require.NoError(t, err)
			require.Equal(t, given, test.body, "the caller's body is its own")
			res, err := v.Verify(r, noon)
			require.NoError(t, err, string(r.Body))
			require.Equal(t, test.id, res.ID)
			require.Equal(t, test.event, res.Event)
			require.Contains(t, string(r.Body), test.keeps)
			h, err := v.Sign(r, "", noon)
			require.NoError(t, err)
			require.Empty(t, h)

			if c.Scheme == "wix" {
				c.Secrets = []string{public}
				v, err = New(c)
				require.NoError(t, err)
				_, err = v.SignBody(&Request{Header: http.Header{}, Body: []byte(test.body)}, "", noon)
				require.ErrorIs(t, err, ErrCannotSign)
				require.ErrorContains(t, err, "private key")
			}
			c.Secrets, c.Options = []string{test.wrong}, maps.Clone(c.Options)
			v, err = New(c)
			require.NoError(t, err)
			_, err = v.Verify(r, noon)
			requireReason(t, ReasonMismatch, err)
		})
	}
}

// TestBodiesOfAnotherFormAreNotSigned: an event of Mailgun without an ID of its own gets a new one; what is no body of the provider's is
// refused with the form that it would need, and what only the provider can sign with that.
func TestBodiesOfAnotherFormAreNotSigned(t *testing.T) {
	t.Parallel()
	v, err := New(Config{Scheme: "mailgun", Secrets: []string{"key"}})
	require.NoError(t, err)
	ids := map[string]bool{}
	for range 2 {
		r := &Request{Header: http.Header{}, Body: []byte(`{}`)}
		r.Body, err = v.SignBody(r, "", noon)
		require.NoError(t, err)
		res, err := v.Verify(r, noon)
		require.NoError(t, err)
		ids[res.ID] = len(res.ID) == 2*mailgunToken
	}
	require.Len(t, ids, 2)

	for _, test := range []struct {
		config   Config
		kind     string
		says     string
		refusals []string
	}{
		{Config{Scheme: "adyen-standard", Secrets: []string{strings.Repeat("44", 32)}}, "", "notificationItems",
			[]string{``, `{}`, `[]`, `x`, `{"notificationItems":[]}`, `{"notificationItems":[{}]}`, `{"notificationItems":[1]}`, `{"notificationItems":[{"NotificationRequestItem":{"additionalData":7}}]}`, `{"notificationItems":[{"NotificationRequestItem":7}]}`, `{"notificationItems":[{"NotificationRequestItem":{}}]`}},
		{Config{Scheme: "mailgun", Secrets: []string{"key"}}, "", "event-data", []string{``, `[]`, `7`, `{`, `{"signature":7}`, `{"signature":[]}`}},
		{Config{Scheme: "mailgun", Secrets: []string{"key"}}, partsType, "parts", []string{``, "--b--"}},
		{Config{Scheme: "braintree", Secrets: []string{"key"}, Options: map[string]string{"public_key": "pk"}}, "", "bt_payload", []string{``, `{}`, `bt_payload=`, `bt_payload=a&bt_payload=b`, `%zz`}},
		{Config{Scheme: "microsoft-graph", Secrets: []string{"key"}}, "", "/value", []string{``, `{}`, `{"value":[]}`, `{"value":{}}`}},
		{Config{Scheme: "microsoft-graph", Secrets: []string{"key"}}, "", "/clientState", []string{`{"value":[7]}`, `{"value":[{}]`}},
		{Config{Scheme: "figma", Secrets: []string{"key"}}, "", "/passcode", []string{``, `[]`, `{`}},
	} {
		v, err := New(test.config)
		require.NoError(t, err)
		for _, body := range test.refusals {
			r := &Request{Header: http.Header{}, Body: []byte(body)}
			if test.kind != "" {
				r.Header.Set("Content-Type", test.kind)
			}
			_, err := v.SignBody(r, "", noon)
			require.ErrorIs(t, err, ErrCannotSign, "%s: %s", test.config.Scheme, body)
			require.ErrorContains(t, err, test.says)
		}
	}
	for name, options := range map[string]map[string]string{"aws-sns": {"topic_arn": topic}, "paypal": {"webhook_id": "WH-1"}, "ebay": {"jwks_pem": asJSON(t, map[string]string{"k": publicOf(t, newPrivate(t, algECDSA1))})}} {
		v, err := New(Config{Scheme: name, Options: options})
		require.NoError(t, err)
		_, err = v.Sign(&Request{Header: http.Header{}}, "", noon)
		require.ErrorIs(t, err, ErrCannotSign)
		require.ErrorContains(t, err, "has the private key", name)
	}
}
