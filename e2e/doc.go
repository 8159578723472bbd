// Package e2e drives Postern as it is run: postern.wasm inside real Envoy,
// signing people in at real providers (Keycloak, oidc-provider) and at stand-ins
// for GitHub, Google and Entra (e2e/standins), visited by a browser (a strict one on
// net/http, and Chromium).
//
// It holds the harness; its tests are in the _test files. It refuses to skip: a
// part that is not there fails the test with the make target that fetches it.
// Nothing it starts outlives the test binary, and every port is picked by the
// kernel, so that several runs do not meet.
package e2e
