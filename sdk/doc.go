// Package sdk is where the SDKs for other languages live: javascript (npm package @videocloud/sdk) and python (package
// videocloud). The Go client is the package github.com/videocloud/webhooks/client.
//
// Its tests run the suites of all three against a real sender and its API, compare them with the OpenAPI document, and
// run the examples of the guide. They need npm and python3; without these they are skipped, and with CI=true they fail.
package sdk
