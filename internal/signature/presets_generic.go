package signature

// presetsGeneric are the schemes that options describe, for providers without one of their own, beside hmac.
var presetsGeneric = []row{
	{
		name: "token", provider: "any provider that sends a secret", source: "what you write", header: "Authorization", alg: algToken,
		options:    []string{"header", "prefix", "id_header", "id_json", "event_header", "event_json"},
		secretHelp: "the token", identity: "the ID that `id_header` or `id_json` names, or nothing",
	},
	{
		name: "basic", provider: "any provider that sends a name and password", source: "RFC 7617", header: "Authorization", prefix: "Basic ", alg: algBasic,
		options:    []string{"id_header", "id_json", "event_header", "event_json"},
		secretHelp: "`name:password`", identity: "the ID that `id_header` or `id_json` names, or nothing",
	},
	{
		name: "jwt", provider: "any provider that sends a JSON Web Token", source: "RFC 7519", header: "Authorization", alg: algJWT, jwt: &jwtRules{prefixes: bearer, audience: true, mustExpire: true},
		options: []string{"jwks", "jwks_pem", "alg", "audience", "issuer", "body_hash", "encoding", "header", "prefix", "payload", "id_json", "event_json"},
		signs:   "a JWT, and with `body_hash` the body through its hash in that claim", secretHelp: "the shared secret, or the public key in PEM; none with `jwks`",
		identity: "the body and the ID that `id_json` names, where `body_hash` binds the body; otherwise that ID, or nothing",
		note:     "Without `body_hash` the body is not signed: whoever sees one request can send any other until the token ends.",
	},
	{
		name: "ed25519", provider: "any provider with Ed25519", source: "RFC 8032", header: "X-Signature", alg: algEd25519, options: publicOptions,
		secretHelp: "the public key, in PEM, hexadecimal or base64; or the option `public_key`", signs: "what `payload` says",
	},
	{
		name: "rsa", provider: "any provider with RSA (PKCS #1 v1.5)", source: "RFC 8017", header: "X-Signature", alg: algRSA256, enc: encBase64, options: publicOptions,
		secretHelp: "the public key or certificate, in PEM; or the option `public_key`", signs: "what `payload` says",
	},
	{
		name: "ecdsa", provider: "any provider with ECDSA P-256", source: "FIPS 186-5", header: "X-Signature", alg: algECDSA, enc: encBase64, options: publicOptions,
		secretHelp: "the public key, in PEM or base64; or the option `public_key`", signs: "what `payload` says",
	},
}

// publicOptions are those of the schemes with a public key.
var publicOptions = []string{
	"public_key", "alg", "encoding", "header", "prefix", "payload", "timestamp_header", "timestamp_unit", "id_header", "id_json", "event_header", "event_json",
}
