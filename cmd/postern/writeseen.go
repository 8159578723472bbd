package main

import "github.com/postern-auth/postern/cmd/postern/internal/tryout"

func writeSeen(p *paper, o *tryout.Outcome) {
}
