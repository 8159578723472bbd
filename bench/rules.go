package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// rulesToNone compares a session's request under many rules with the same
// request where there are none. The two Envoys run side by side and take turns:
// what a worker's memory holds is part of what rules cost.
func (l *lab) rulesToNone() error {
	var pair [2]*envoy
	for i, n := range []int{l.rules, 0} {
		filters, err := l.postern(l.module, rulesSettings(l.issuer, n))
		if err != nil {
			return err
		}
		if pair[i], err = l.startGate(gate{name: fmt.Sprintf("%d rules", n), credential: l.own, filters: filters}); err != nil {
			return err
		}
		defer pair[i].stop()
	}
	if err := decides(pair[0], l.own); err != nil {
		return err
	}
	cpu, err := l.alternate(func(which int) (result, error) { return l.load(pair[which], l.own) })
	if err != nil {
		return err
	}
	versus := ratios(cpu[0], cpu[1])
	fmt.Printf("\n%d rules to none, the same session in alternation: %.1f us to %.1f us, ratio %.3f (95 %% bound %.3f).\n",
		l.rules, median(cpu[0]), median(cpu[1]), median(versus), upperBound(versus))
	return nil
}

// alternate has two runs take turns, as often as there are rounds, and returns
// what each cost.
func (l *lab) alternate(run func(which int) (result, error)) (cpu [2][]float64, err error) {
	for round := -1; round < l.rounds; round++ { // the first warms up and does not count
		for turn := range cpu {
			which := (turn + round + 1) % 2
			r, err := run(which)
			if err != nil {
				return cpu, err
			}
			if round >= 0 {
				cpu[which] = append(cpu[which], r.cpu)
			}
		}
	}
	return cpu, nil
}

// decides makes sure that the rules are asked: what they require the session
// has in one place and has not in another.
func decides(e *envoy, c credential) error {
	for path, want := range map[string]int{"/catalogue/plans/1": http.StatusForbidden, target: http.StatusOK} {
		got, err := status(e, c, path)
		if err != nil || got != want {
			return errors.Join(fmt.Errorf("%s answers %d on %s, not %d", e.name, got, path, want), err)
		}
	}
	return nil
}

// rulesSettings are posternSettings with n rules, or none. The rule that the
// requests fall under is the last but one.
func rulesSettings(issuer string, n int) string {
	var settings object
	_ = json.Unmarshal([]byte(posternSettings(issuer, true)), &settings)
	settings["hosts"] = []string{host, "*." + host}
	if n > 0 {
		settings["rules"] = manyRules(n)
	}
	b, _ := json.Marshal(settings)
	return string(b)
}

func manyRules(n int) []object {
	last := []object{
		rule(paths("/catalogue/*", "methods", []string{"PUT", "DELETE"}), group("planners")),
		rule(paths("/catalogue/*", "headers", object{"x-tenant": []string{"red", "blue"}}), group("tenants")),
		rule(paths("/catalogue/plans/*"), group("planners")),
		rule(paths("/catalogue/*", "hosts", []string{host}, "methods", []string{"GET", "POST"}), group("staff")),
		rule(paths("/*"), object{"on_anonymous": "401"}),
	}
	var rules []object
	for i := 1; len(rules) < n-len(last); i++ {
		rules = append(rules, teamRules(i)...)
	}
	return append(rules[:max(0, n-len(last))], last...)
}

// teamRules are those of one team, in the proportions in which people write
// them: mostly paths below its own, some for certain methods or by pattern, some
// for a host of its own.
func teamRules(i int) []object {
	named := func(format string) string { return fmt.Sprintf(format, i) }
	own, area := []string{named("team-%d.") + host}, []string{named("*.area-%d.") + host}
	open := object{"allow": "anyone"}
	return []object{
		rule(paths(named("/status-%d")), open),
		rule(paths(named("/team-%d/favicon.ico")), open),
		rule(paths(named("/team-%d/public/*")), open),
		rule(paths(named("/team-%d/static/*.css")), open),
		rule(paths(named("/team-%d/admin/*")), group(named("admins-%d"))),
		rule(paths(named("/team-%d/*"), "methods", []string{"POST", "PUT", "DELETE"}), group(named("writers-%d"))),
		rule(paths(named("/team-%d/*/settings")), group(named("owners-%d"))),
		rule(paths(named("/team-%d/*")), group(named("members-%d"))),
		rule(object{"path_regexes": []string{named("/orders-%d/[0-9]+(/items)?")}}, group(named("sales-%d"))),
		rule(paths(named("/orders-%d/*")), group(named("leads-%d"))),
		rule(paths(named("/api/v%d/health")), open),
		rule(paths(named("/api/v%d/*/export"), "methods", []string{"GET"}), group(named("exporters-%d"))),
		rule(paths(named("/api/v%d/*")), object{"on_anonymous": "401"}),
		rule(paths("/healthz", "hosts", own), open),
		rule(paths("/admin/*", "hosts", own), group(named("admins-%d"))),
		rule(object{"hosts": own}, group(named("members-%d"))),
		rule(paths("/reports/*", "hosts", area), group(named("readers-%d"))),
		rule(paths(named("/catalogue/season-%d/*")), group(named("planners-%d"))),
		rule(paths(named("/drafts-%d/*")), group(named("editors-%d"))),
		rule(paths(named("/previews-%d/*")), group(named("editors-%d"))),
	}
}

// rule is one for what it matches, with what else it says.
func rule(match, says object) object {
	r := object{"match": match}
	for name, value := range says {
		r[name] = value
	}
	return r
}

// paths match one path, and what else is named.
func paths(path string, more ...any) object {
	match := object{"paths": []string{path}}
	for i := 0; i < len(more); i += 2 {
		match[more[i].(string)] = more[i+1]
	}
	return match
}

func group(name string) object {
	return object{"require": object{"groups": []string{name, "operators"}}}
}
