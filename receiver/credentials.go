package receiver

// credentials hold the secrets of a provider. They are replaced as a whole.
type credentials struct {
	verifier  verifier // holds the secrets
	challenge string   // the token of set-up requests; empty for none
}

// SecretHeaders returns the canonical names of the headers that carry the secret itself, or a token that stands for it.
// They must be kept out of logs and stores.
func (r *Receiver) SecretHeaders() []string {
	if v, ok := r.credentials.Load().verifier.(interface{ SecretHeaders() []string }); ok {
		return v.SecretHeaders()
	}
	return nil
}

// SetSecrets replaces the secrets and the challenge of the scheme, for requests that begin from now on. It returns an error
// where they can't be used, and keeps the previous ones then. It does nothing for a receiver with a [Verifier] of the
// caller's own.
func (r *Receiver) SetSecrets(secrets []string, challenge string) error {
	if _, ok := r.credentials.Load().verifier.(customVerifier); ok {
		return nil
	}
	c := r.config
	c.Secrets, c.Challenge = secrets, challenge
	if err := c.Validate(); err != nil {
		return err
	}
	v, err := newVerifier(&c)
	if err != nil {
		return err
	}
	r.credentials.Store(&credentials{v, challenge})
	return nil
}
