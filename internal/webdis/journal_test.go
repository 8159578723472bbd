package webdis

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/flow"
)

func fill(t *testing.T, f *fake, c *Client, from, to, most int) (id string) {
	t.Helper()
	for i := from; i <= to; i++ {
		var err error
		if id, err = c.Append(f.env(), "ended", fmt.Sprint("v", i), most); err != nil {
			t.Fatal(err)
		}
	}
	return id
}

func values(news News) []string {
	var all []string
	for _, e := range news.Entries {
		all = append(all, e.Value)
	}
	return all
}

func numbered(from, to int) []string {
	var all []string
	for i := from; i <= to; i++ {
		all = append(all, fmt.Sprint("v", i))
	}
	return all
}

func TestAReaderGoesOnWhereItStopped(t *testing.T) {
	for _, fresh := range []int{0, 1, 7, 8, 9, 71, 72, 73, 500} {
		f, c := newFake(t)
		id := fill(t, f, c, 1, 20, 1000)
		fill(t, f, c, 21, 20+fresh, 1000)
		news, err := c.After(f.env(), "ended", id, 1000)
		if err != nil || !news.Complete {
			t.Errorf("%d new: %v, %v", fresh, news.Complete, err)
		}
		if diff := cmp.Diff(numbered(21, 20+fresh), values(news)); diff != "" {
			t.Errorf("%d new: %s", fresh, diff)
		}
	}
}

func TestTheFirstReadingHasAllAndKnowsWhetherThatIsAll(t *testing.T) {
	for _, test := range []struct {
		appended int
		want     []string
		complete bool
	}{
		{0, nil, true},
		{8, numbered(1, 8), true},
		{99, numbered(1, 99), true},
		{100, numbered(1, 100), false}, // there may have been more
		{105, numbered(6, 105), false},
		{400, numbered(301, 400), false},
	} {
		f, c := newFake(t)
		fill(t, f, c, 1, test.appended, 100)
		news, err := c.After(f.env(), "ended", "", 100)
		if err != nil || news.Complete != test.complete {
			t.Errorf("%d: complete %v, %v", test.appended, news.Complete, err)
		}
		if diff := cmp.Diff(test.want, values(news)); diff != "" {
			t.Errorf("%d: %s", test.appended, diff)
		}
	}
}

func TestAReaderNoticesWhatItMissed(t *testing.T) {
	for name, lose := range map[string]func(*fake, *Client){
		"the list was cut":               func(f *fake, c *Client) { fill(t, f, c, 21, 200, 100) },
		"the list is gone":               func(f *fake, _ *Client) { clear(f.lists) },
		"the list was put back":          func(f *fake, _ *Client) { f.lists["gate:ended"] = f.lists["gate:ended"][5:] },
		"it was begun anew":              func(f *fake, c *Client) { clear(f.lists); fill(t, f, c, 21, 30, 100) },
		"the entry itself was taken out": func(f *fake, _ *Client) { f.lists["gate:ended"] = slices.Delete(f.lists["gate:ended"], 0, 1) },
	} {
		t.Run(name, func(t *testing.T) {
			f, c := newFake(t)
			id := fill(t, f, c, 1, 20, 100)
			lose(f, c)
			if news, err := c.After(f.env(), "ended", id, 100); err != nil || news.Complete {
				t.Errorf("complete %v, %v", news.Complete, err)
			}
		})
	}
}

func TestAJournalIsBounded(t *testing.T) {
	f, c := newFake(t)
	fill(t, f, c, 1, 1000, 100)
	if n := len(f.lists["gate:ended"]); n < 100 || n > 113 {
		t.Errorf("%d entries", n)
	}
	calls := len(f.calls)
	if calls > 1100 {
		t.Errorf("%d calls for 1,000 entries", calls)
	}
}

func TestACutThatFailsIsMadeUpFor(t *testing.T) {
	f, c := newFake(t)
	f.lost = "LTRIM"
	id := fill(t, f, c, 1, 150, 100)
	if id != entryID("v150") {
		t.Errorf("id %s", id)
	}
	if n := len(f.lists["gate:ended"]); n != 150 {
		t.Errorf("%d entries before", n)
	}
	f.lost = ""
	fill(t, f, c, 151, 151, 100)
	if n := len(f.lists["gate:ended"]); n != 100 {
		t.Errorf("%d entries", n)
	}
}

func TestWhatIsAppendedWhileReadingIsNeitherDoubleNorInTheWay(t *testing.T) {
	f, c := newFake(t)
	id := fill(t, f, c, 1, 1, 1000)
	fill(t, f, c, 2, 100, 1000)
	writer, n := New(testSettings()), 100
	f.answer = func(call flow.Call, mark, body string) (flow.Response, error) {
		f.answer = nil // after the first page alone
		n++
		fill(t, f, writer, n, n+2, 1000)
		return marked(mark, body), nil
	}
	news, err := c.After(f.env(), "ended", id, 1000)
	if err != nil || !news.Complete {
		t.Fatalf("complete %v, %v", news.Complete, err)
	}
	if diff := cmp.Diff(numbered(2, 100), values(news)); diff != "" {
		t.Error(diff)
	}
	last := news.Entries[len(news.Entries)-1].ID
	if news, err = c.After(f.env(), "ended", last, 1000); err != nil || !news.Complete {
		t.Fatalf("complete %v, %v", news.Complete, err)
	}
	if diff := cmp.Diff(numbered(101, 103), values(news)); diff != "" {
		t.Error(diff)
	}
}

func TestAnEntryThatCameTwiceHidesNothing(t *testing.T) {
	f, c := newFake(t)
	id := fill(t, f, c, 1, 1, 100)
	fill(t, f, c, 2, 2, 100)
	fill(t, f, c, 1, 1, 100)
	news, err := c.After(f.env(), "ended", id, 100)
	if err != nil || !news.Complete {
		t.Fatalf("complete %v, %v", news.Complete, err)
	}
	if !slices.Contains(values(news), "v2") {
		t.Errorf("got %v", values(news))
	}
}

func TestAPageThatFailsFailsTheReading(t *testing.T) {
	f, c := newFake(t)
	fill(t, f, c, 1, 100, 100)
	reads := 0
	f.answer = func(_ flow.Call, mark, body string) (flow.Response, error) {
		if reads++; reads == 2 {
			return flow.Response{Status: 503}, nil
		}
		return marked(mark, body), nil
	}
	if news, err := c.After(f.env(), "ended", "", 100); !errors.Is(err, ErrAway) || news.Complete || news.Entries != nil {
		t.Errorf("got %d entries, %v, %v", len(news.Entries), news.Complete, err)
	}
}
