package e2e

import (
	"errors"
	"fmt"
	"net/url"
)

// Arrive goes where a page leads, through the provider, filling its form if it
// shows one, to the page that is reached in the end. It returns every page on
// the way, and how often a form was filled.
func (b *Browser) Arrive(p *Provider, first *Page, who Person) (way []*Page, forms int, err error) {
	if way, err = b.Follow(first, nil); err != nil {
		return way, 0, err
	}
	last := way[len(way)-1]
	if !p.Owns(last.URL) {
		return way, 0, nil
	}
	next, err := p.SignIn(b, last, who)
	if err != nil {
		return way, 0, err
	}
	rest, err := b.Follow(next, nil)
	way = append(way, rest...)
	if last = way[len(way)-1]; err == nil && p.Owns(last.URL) {
		err = fmt.Errorf("e2e: the provider keeps the browser:%s", trail(way))
	}
	return way, 1, err
}

// visited is the first page of a way whose path is this.
func visited(way []*Page, path string) (*url.URL, error) {
	for _, p := range way {
		if p.URL.Path == path {
			return p.URL, nil
		}
	}
	return nil, errors.New("e2e: the way does not lead over " + path + ":" + trail(way))
}
