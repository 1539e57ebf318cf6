package receiver

// credentials are what a provider shows that it knows. They are replaced as a whole.
type credentials struct {
	verifier  verifier
	challenge string
}

// SecretHeaders are the canonical names of the headers in which the sender shows the secret itself, or a token that stands for it: keep
// them out of logs and stores.
func (r *Receiver) SecretHeaders() []string {
	if v, ok := r.credentials.Load().verifier.(interface{ SecretHeaders() []string }); ok {
		return v.SecretHeaders()
	}
	return nil
}

// SetSecrets replaces the secrets and the challenge of the scheme, for requests that come from now on. Where they can't be
// used it returns why, and those before stay. A receiver with a [Verifier] of the caller's own has none to replace.
func (r *Receiver) SetSecrets(secrets []string, challenge string) error {
	if _, ok := r.credentials.Load().verifier.(foreign); ok {
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
