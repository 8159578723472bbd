// Package docs holds what the command has of the documents: the JSON Schema of the
// settings, which `go generate ./internal/config` writes.
package docs

import _ "embed"

// Schema is the JSON Schema of the settings.
//
//go:embed postern.schema.json
var Schema []byte
