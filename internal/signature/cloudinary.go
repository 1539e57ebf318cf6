package signature

// newCloudinary builds a plain hash whose algorithm is an option.
func newCloudinary(preset *row, c Config) (scheme, error) {
	r := *preset
	if alg, ok := c.Options["alg"]; ok {
		r.alg = algorithm(alg)
		if r.alg != algSHA1 && r.alg != algSHA256 {
			return nil, badOption("alg", "%q is not one of sha1, sha256", alg)
		}
	}
	return newGeneric(&r, c)
}
