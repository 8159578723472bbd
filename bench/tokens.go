package main

import (
	"encoding/json"
	"fmt"
)

// audience is the service that the tokens are made out to.
const audience = "shop-api"

// tokenGates are the rows of gates that take tokens: seen before, and new each
// time, beside Envoy's own filter.
func (l *lab) tokenGates() ([]gate, error) {
	jwt, err := l.postern(l.module, tokenSettings(l.issuer, "jwt"))
	if err != nil {
		return nil, err
	}
	asks, err := l.postern(l.module, tokenSettings(l.issuer, "introspection"))
	if err != nil {
		return nil, err
	}
	seen := bearer(l.tokens.access)
	verifies := []object{jwtFilter(l.issuer, l.tokens.jwks, 0)}
	remembers := []object{jwtFilter(l.issuer, l.tokens.jwks, 1000)}
	return []gate{
		{name: "Postern, bearer seen", credential: seen, filters: jwt},
		{name: "Postern, bearer new", credential: seen, fresh: true, filters: jwt},
		{name: "Postern, introspected seen", credential: bearer(random(32)), filters: asks},
		{name: "jwt_authn with its cache, bearer seen", credential: seen, filters: remembers},
		{name: "jwt_authn without its cache, bearer seen", credential: seen, filters: verifies},
		{name: "jwt_authn with its cache, bearer new", credential: seen, fresh: true, filters: remembers},
		{name: "jwt_authn without its cache, bearer new", credential: seen, fresh: true, filters: verifies},
	}, nil
}

// tokenSettings are posternSettings for whoever brings a session or a token.
func tokenSettings(issuer, check string) string {
	var settings object
	_ = json.Unmarshal([]byte(posternSettings(issuer, true)), &settings)
	settings["bearer"] = []object{{
		"provider": "keycloak", "check": check, "audiences": []string{audience},
		"introspection": object{"cache": "1h"}, // nobody is asked while it is measured
	}}
	b, _ := json.Marshal(settings)
	return string(b)
}

// bearerToSession compares, within one Envoy, requests with a token that was
// seen before with those that bring a session.
func (l *lab) bearerToSession() error {
	filters, err := l.postern(l.module, tokenSettings(l.issuer, "jwt"))
	if err != nil {
		return err
	}
	credentials := [2]credential{l.own, bearer(l.tokens.access)}
	e, err := l.startGate(gate{name: "both", credential: credentials[0], filters: filters})
	if err != nil {
		return err
	}
	defer e.stop()
	if err := guards(e, credentials[1]); err != nil {
		return err
	}
	cpu, err := l.alternate(func(which int) (result, error) { return l.load(e, credentials[which]) })
	if err != nil {
		return err
	}
	versus := ratios(cpu[1], cpu[0])
	fmt.Printf("\nBearer seen to session, the same Envoy in alternation: %.1f us to %.1f us, ratio %.2f (95 %% bound %.2f).\n",
		median(cpu[1]), median(cpu[0]), median(versus), upperBound(versus))
	return nil
}
