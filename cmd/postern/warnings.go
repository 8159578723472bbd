package main

import "github.com/postern-auth/postern/internal/config"

// warning is something about rules that is most likely not meant.
type warning struct {
	Rule  string `json:"rule,omitempty"`
	Place string `json:"place"`
	Text  string `json:"text"`
}

func warningsOf(*config.Config) []warning { return nil }
func warningText(w warning) string        { return w.Place + ": " + w.Text }
