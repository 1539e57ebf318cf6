// Package crosscheck holds the signature schemes of two dozen providers against their official libraries, from npm: what those
// sign or accept, we accept; what they refuse as forged, we refuse; and what we sign, they accept. The versions are
// pinned in testdata/package-lock.json.
//
// The test needs node and npm. Without them it is skipped, and with CI=true it fails.
package crosscheck
