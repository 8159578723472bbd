// Package sealed opens what a gate put into somebody's browser, and tells what is
// in it or why it does not open: sessions, bindings, states, tickets, needs.
//
// It opens with the keys that it is given, and so tells nothing to whoever has
// none. Tokens, codes and secrets are never in what it returns: of a token it says
// how long it is, until when it is good, and by which hash it can be told from
// another.
//
// It reads cookies as RFC 6265 writes them, curl's files, and addresses.
package sealed

import (
	"encoding/json"
	"net/url"
	"strings"
)

// Value is a value as it was found: a cookie's, or an address's.
type Value struct {
	Name string // of the cookie, or of the parameter; "" where only the value is there
	Text string
	Host string // whose cookie it is, or whose address; "" where that is not told
}

// Read finds values in a text: Cookie and Set-Cookie lines, a curl command, a file
// that curl -c wrote, what a browser exports as JSON, addresses, and bare values.
func Read(text string) (all []Value) {
	if all := readExport(text); all != nil {
		return all
	}
	for line := range strings.Lines(text) {
		all = append(all, readLine(strings.TrimRight(line, "\r\n"))...)
	}
	return all
}

// readExport reads a list of cookies in JSON.
func readExport(text string) (all []Value) {
	var list []struct{ Name, Value, Domain string }
	if json.Unmarshal([]byte(text), &list) != nil {
		return nil
	}
	for _, c := range list {
		all = append(all, Value{c.Name, c.Value, strings.TrimPrefix(c.Domain, ".")})
	}
	return all
}

func readLine(line string) []Value {
	if fields := strings.Split(line, "\t"); len(fields) == 7 {
		domain, _ := strings.CutPrefix(fields[0], "#HttpOnly_")
		return []Value{{fields[5], fields[6], strings.TrimPrefix(domain, ".")}}
	}
	line = strings.TrimSpace(line)
	if strings.HasPrefix(line, "#") {
		return nil
	}
	if rest, ok := cutHeader(line, "set-cookie:"); ok {
		pair, attributes, _ := strings.Cut(rest, ";")
		return hosted(pairs(pair), domainOf(attributes))
	}
	if rest, ok := cutHeader(line, "cookie:"); ok {
		rest, _, _ = strings.Cut(rest, "'") // the end of an argument of a curl command
		return pairs(rest)
	}
	if at := strings.Index(line, "http"); at >= 0 && strings.Contains(line, "://") {
		return readAddress(strings.Fields(line[at:])[0])
	}
	return pairs(line)
}

// cutHeader returns what follows the name of a field, wherever it stands in a line.
func cutHeader(line, name string) (rest string, ok bool) {
	at := strings.Index(strings.ToLower(line), name)
	if at < 0 || name == "cookie:" && at > 0 && line[at-1] == '-' {
		return "", false
	}
	return strings.TrimSpace(line[at+len(name):]), true
}

// pairs reads what a Cookie field holds. What has no name is a bare value.
func pairs(text string) (all []Value) {
	for pair := range strings.SplitSeq(text, ";") {
		name, value, named := strings.Cut(strings.TrimSpace(pair), "=")
		switch {
		case named:
			all = append(all, Value{Name: name, Text: strings.Trim(value, `"`)})
		case name != "":
			all = append(all, Value{Text: name})
		}
	}
	return all
}

func hosted(all []Value, host string) []Value {
	for i := range all {
		all[i].Host = host
	}
	return all
}

func domainOf(attributes string) string {
	for _, a := range pairs(attributes) {
		if strings.EqualFold(a.Name, "domain") {
			return strings.TrimPrefix(a.Text, ".")
		}
	}
	return ""
}

// readAddress reads the parameters of an address that may be ours.
func readAddress(text string) (all []Value) {
	u, err := url.Parse(strings.Trim(text, `"'<>,`))
	if err != nil {
		return nil
	}
	for _, name := range []string{"state", "ticket", "request"} {
		for _, value := range u.Query()[name] {
			all = append(all, Value{name, value, u.Host})
		}
	}
	return all
}
