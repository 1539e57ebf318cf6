package client

// Signing says what makes webhook-signature.
type Signing string

// SigningEd25519 signs with a key pair made for the webhook (Standard Webhooks, v1a).
const SigningEd25519 Signing = "ed25519"

// AuthType is a way in which an endpoint authenticates its callers.
type AuthType string

// The types of [Auth].
const (
	AuthBasic  AuthType = "basic"  // Username, Password
	AuthBearer AuthType = "bearer" // Token
	AuthOAuth2 AuthType = "oauth2" // TokenURL, ClientID, ClientSecret, and Scope where one is needed: client credentials
	AuthMTLS   AuthType = "mtls"   // Certificate, Key
)

// Auth is how deliveries authenticate to an endpoint, beside the signature. Fields that don't belong to its type are refused. The API never
// shows password, token, client secret and key.
type Auth struct {
	Type         AuthType `json:"type"`
	Username     string   `json:"username,omitempty"`
	Password     string   `json:"password,omitempty"`
	Token        string   `json:"token,omitempty"`
	TokenURL     string   `json:"tokenUrl,omitempty"`
	ClientID     string   `json:"clientId,omitempty"`
	ClientSecret string   `json:"clientSecret,omitempty"`
	Scope        string   `json:"scope,omitempty"`       // names separated by spaces
	Certificate  string   `json:"certificate,omitempty"` // PEM, followed by those between it and its root
	Key          string   `json:"key,omitempty"`         // PEM, unencrypted
}
