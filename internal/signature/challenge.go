package signature

// handshake is the set-up request of a provider that the gateway answers itself.
type handshake uint8
