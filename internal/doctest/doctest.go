// Package doctest reads the project's documents, for tests that hold them to
// their word: the fenced blocks, with what kind each says it is; the commands in
// them and in the text; the links, and the headings that they lead to.
//
// It reads the Markdown that the documents are written in (CommonMark's fenced
// blocks, inline code and links, and GitHub's names for headings) and no more.
// It runs nothing: what becomes of a block is the tests' business, here and in
// cmd/postern.
package doctest

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"
)

// Page is one document.
type Page struct {
	Path   string // from the root, with slashes
	Text   string // without the fenced blocks
	Blocks []Block
}

// Block is a fenced block.
type Block struct {
	Page string
	Line int    // of its first fence
	Kind string // the first word behind the fence; "" where there is none
	Text string
}

// Where says where the block is.
func (b *Block) Where() string { return fmt.Sprintf("%s:%d", b.Page, b.Line) }

// folders are where documents are, beside those at the root.
var folders = []string{"docs", "envoy", "envoy-gateway", "istio"}

// Pages reads all documents below the root.
func Pages(root string) ([]*Page, error) {
	files, err := filepath.Glob(filepath.Join(root, "*.md"))
	if err != nil {
		return nil, err
	}
	for _, folder := range folders {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, _ fs.DirEntry, err error) error {
			if os.IsNotExist(err) {
				return nil
			}
			if err == nil && strings.HasSuffix(path, ".md") {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	var pages []*Page
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		name, err := filepath.Rel(root, file)
		if err != nil {
			return nil, err
		}
		p, err := Parse(filepath.ToSlash(name), string(text))
		if err != nil {
			return nil, err
		}
		pages = append(pages, p)
	}
	return pages, nil
}

var fence = regexp.MustCompile("^( {0,8})(```+|~~~+) *([^` ]*)")

// Parse reads one document. A block that is not closed is an error.
func Parse(path, text string) (*Page, error) {
	p := &Page{Path: path}
	var open *Block
	var closing, indent string
	var rest, body strings.Builder
	number := 0
	for line := range strings.Lines(text) {
		number++
		m := fence.FindStringSubmatch(strings.TrimRight(line, "\n"))
		switch {
		case open == nil && m != nil:
			open, closing, indent = &Block{Page: path, Line: number, Kind: m[3]}, m[2], m[1]
			rest.WriteString("\n")
		case open == nil:
			rest.WriteString(line)
		case m != nil && strings.HasPrefix(m[2], closing) && m[3] == "":
			open.Text = body.String()
			p.Blocks = append(p.Blocks, *open)
			open = nil
			body.Reset()
		default:
			body.WriteString(strings.TrimPrefix(line, indent))
		}
	}
	if open != nil {
		return nil, fmt.Errorf("%s: the block is not closed", open.Where())
	}
	p.Text = rest.String()
	return p, nil
}

var heading = regexp.MustCompile(`(?m)^#{1,6} +(.+?) *#*$`)

// Anchors are the names by which GitHub lets one link to the headings of a page.
func (p *Page) Anchors() map[string]bool {
	anchors := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(p.Text, -1) {
		name := slug(m[1])
		for n := 1; anchors[name]; n++ {
			name = fmt.Sprintf("%s-%d", slug(m[1]), n)
		}
		anchors[name] = true
	}
	return anchors
}

var linked = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)

func slug(title string) string {
	title = linked.ReplaceAllString(title, "$1")
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-', r == '_', unicode.IsLetter(r), unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, title)
}

var (
	inline = regexp.MustCompile("(?s)``(.+?)``|`([^`]+)`")
	link   = regexp.MustCompile(`\]\(([^)\s]+)(?: +"[^"]*")?\)|(?m)^\[[^\]]+\]: *(\S+)`)
)

// Links are the targets of all links and pictures.
func (p *Page) Links() []string {
	var links []string
	for _, m := range link.FindAllStringSubmatch(inline.ReplaceAllString(p.Text, ""), -1) {
		links = append(links, m[1]+m[2])
	}
	return links
}

// Code is what stands in the text as code.
func (p *Page) Code() []string {
	var all []string
	for _, m := range inline.FindAllStringSubmatch(p.Text, -1) {
		all = append(all, strings.Join(strings.Fields(m[1]+m[2]), " "))
	}
	return all
}
