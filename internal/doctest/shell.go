package doctest

import (
	"regexp"
	"strings"
)

// Command is one command of a shell.
type Command struct {
	Page string
	Kind string // of the block that it is in; "" in the text
	Line int    // where it begins; 0 in the text
	Text string
	Args []string // the words, without quotes; the command's own name is the first
}

var (
	substitution = regexp.MustCompile(`\$\(([^()]*)\)`)
	heredoc      = regexp.MustCompile(`<<-? *'?"?([A-Za-z_]+)`)
	assignment   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*=`)
)

// Commands are those of a block of commands. Kinds of blocks in which there are
// none have none. In a "console" block commands stand behind a "$ ", and what
// they say between them.
func (b *Block) Commands() []Command {
	if b.Kind != "sh" && b.Kind != "console" {
		return nil
	}
	var all []Command
	number, pending, begun, until := b.Line, "", 0, ""
	for line := range strings.Lines(b.Text) {
		number++
		line = strings.TrimSpace(line)
		if until != "" { // what is handed to a command as its input
			if line == until {
				until = ""
			}
			continue
		}
		if b.Kind == "console" && pending == "" {
			after, typed := strings.CutPrefix(line, "$ ")
			if !typed {
				continue
			}
			line = after
		}
		if pending == "" {
			begun = number
		}
		if before, more := strings.CutSuffix(line, `\`); more {
			pending += before + " "
			continue
		}
		if m := heredoc.FindStringSubmatch(line); m != nil {
			until, line = m[1], line[:strings.Index(line, m[0])]
		}
		all = append(all, commandsOf(b.Page, b.Kind, begun, pending+line)...)
		pending = ""
	}
	return all
}

// commandsOf takes a line apart.
func commandsOf(page, kind string, number int, line string) []Command {
	var all []Command
	for _, m := range substitution.FindAllStringSubmatch(line, -1) {
		all = append(all, commandsOf(page, kind, number, m[1])...)
	}
	line = substitution.ReplaceAllString(line, "SUBSTITUTED")
	for _, words := range split(line) {
		for len(words) > 0 && (assignment.MatchString(words[0]) || words[0] == "export" || words[0] == "sudo" || words[0] == "exec") {
			words = words[1:]
		}
		if len(words) > 0 {
			all = append(all, Command{page, kind, number, strings.Join(words, " "), words})
		}
	}
	return all
}

// split takes a line apart into simple commands, and these into words.
// Redirections go.
func split(line string) [][]string {
	var all [][]string
	var words []string
	var word strings.Builder
	quote, in := rune(0), false
	endWord := func() {
		if in {
			words = append(words, word.String())
		}
		word.Reset()
		in = false
	}
	endCommand := func() {
		endWord()
		if words = withoutRedirections(words); len(words) > 0 {
			all = append(all, words)
		}
		words = nil
	}
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, in = r, true
		case r == '#' && !in:
			endCommand()
			return all
		case r == ' ' || r == '\t':
			endWord()
		case r == '|' || r == ';' || r == '&' && !strings.HasSuffix(word.String(), ">"):
			endCommand()
		default:
			word.WriteRune(r)
			in = true
		}
	}
	endCommand()
	return all
}

var redirection = regexp.MustCompile(`^[0-9]*(>>|>|<)(.*)$`)

func withoutRedirections(words []string) []string {
	var kept []string
	for i := 0; i < len(words); i++ {
		m := redirection.FindStringSubmatch(words[i])
		switch {
		case m == nil:
			kept = append(kept, words[i])
		case m[2] == "":
			i++ // the file is the next word
		}
	}
	return kept
}

// Inline are the commands of the page's text that begin with one of the names.
// What is shortened there ("…", "a|b", "NAME") is no command.
func (p *Page) Inline(names ...string) []Command {
	var all []Command
	for _, code := range p.Code() {
		name, _, more := strings.Cut(code, " ")
		for _, n := range names {
			if more && name == n && !strings.ContainsAny(code, "…|<>$[]{}") && !strings.Contains(code, "...") {
				all = append(all, commandsOf(p.Path, "", 0, code)...)
			}
		}
	}
	return all
}
