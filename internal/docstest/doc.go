// Package docstest holds the documentation to what it says. Its tests read README.md and docs/:
//
//   - every command, request and program of the README, the guide and getting-started runs, in their order and in a
//     folder of their own, against the Caddy that is built from here, and prints what the page shows;
//   - every Caddyfile of every page is adapted;
//   - the Caddyfile's reference names each option that the parser takes and no other, the API's each operation and each status;
//   - links lead somewhere.
//
// What a block is for stands in a comment on the line before it, where its language does not tell; see [directive] in
// the tests:
//
//	<!-- test: output -->
//	```json
//	{"success":true, …}
//	```
package docstest
