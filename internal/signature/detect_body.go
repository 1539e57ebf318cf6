package signature

import (
	"bytes"
	"net/http"
	"slices"
)

// bodyForms recognize the bodies of the schemes that sign inside of the body and so have no header to be recognized by.
var bodyForms = map[string]func(h http.Header, body []byte) bool{
	"aws-sns": hasFields("/Type", "/MessageId", "/TopicArn", "/Signature", "/SignatureVersion"),
	"adyen-standard": hasFields(
		"/notificationItems/0/NotificationRequestItem/pspReference", "/notificationItems/0/NotificationRequestItem/additionalData/hmacSignature",
	),
	"microsoft-graph": hasFields("/value/0/clientState", "/value/0/subscriptionId"),
	"meraki":          hasFields("/sharedSecret", "/alertTypeId"),
	"figma":           hasFields("/passcode", "/event_type"),
	"mailgun":         mailgunSigned,
	"braintree":       braintreeFields,
	"wix":             wixToken,
}

// hasFields reports whether a JSON body has all of the fields.
func hasFields(pointers ...string) func(http.Header, []byte) bool {
	return func(_ http.Header, body []byte) bool {
		return !slices.ContainsFunc(pointers, func(pointer string) bool { _, ok := rawField(body, pointer); return !ok })
	}
}

// mailgunSigned reports whether a body has the three fields of a Mailgun signature, in any of its forms.
func mailgunSigned(h http.Header, body []byte) bool {
	field := mailgunFields(&Request{Header: h, Body: body})
	return field("timestamp") != "" && field("token") != "" && field("signature") != ""
}

// braintreeFields reports whether a form has the two fields of a Braintree notification.
func braintreeFields(h http.Header, body []byte) bool {
	fields, err := formUpTo(&Request{Header: h, Body: body}, maxParsed)
	return err == nil && fields.Has("bt_signature") && fields.Has("bt_payload")
}

// wixToken reports whether a body is a JSON Web Token with the claim data.
func wixToken(_ http.Header, body []byte) bool {
	text := bytes.TrimSpace(body)
	parts := bytes.Split(text[:min(len(text), maxParsed)], []byte{'.'})
	if len(parts) != 3 {
		return false
	}
	payload, err := strictBase64URL.DecodeString(string(parts[1]))
	if err != nil {
		return false
	}
	_, ok := rawField(payload, "/data")
	return ok
}
