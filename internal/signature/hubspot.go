package signature

import "strings"

// HubSpot undoes some percent-encodings of the URL before it signs, and its sources disagree on which: all have the
// first seven, the documentation five more. The URL as it came is tried first.
var (
	hubSpotCommon = decoder(":/?@$,;")
	hubSpotAll    = decoder(":/?@$,;!'()*")
)

func hubSpotURLs(u string) []string {
	if strings.IndexByte(u, '%') < 0 {
		return []string{u}
	}
	return []string{u, hubSpotCommon.Replace(u), hubSpotAll.Replace(u)}
}

// decoder undoes the percent-encoding of certain characters.
func decoder(characters string) *strings.Replacer {
	var pairs []string
	for i := 0; i < len(characters); i++ {
		c := characters[i]
		lower := "%" + string(hexDigits[c>>4]) + string(hexDigits[c&15])
		pairs = append(pairs, strings.ToUpper(lower), string(c))
		if lower != strings.ToUpper(lower) {
			pairs = append(pairs, lower, string(c))
		}
	}
	return strings.NewReplacer(pairs...)
}
