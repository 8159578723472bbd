package webdis

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strconv"

	"github.com/postern-auth/postern/internal/flow"
)

// A journal is a list in Redis, the newest entry first. One command appends an
// entry, so none can be overtaken unseen; and a reader finds its place by the
// entry that it read last, not by a number. If that entry is gone, because the
// list was cut, lost or put back to an older state, the reader knows that it
// may have missed something. (Webdis before 0.1.11 cannot convey what Redis
// has for this, streams: their answers are arrays within arrays.)

// Entry is one entry of a journal.
type Entry struct {
	ID    string // of 22 letters; the same for the same value
	Value string
}

// News is what a journal has after an entry.
type News struct {
	Entries []Entry // the oldest first
	// Complete says that nothing is missing between the entry that was asked
	// about, or the journal's beginning, and these.
	Complete bool
}

const (
	maxEntry  = 2 << 10 // bytes
	firstPage = 8       // entries: most readings find nothing new
	nextPage  = 64
)

// Append puts a value at a journal's end, which keeps at least its latest most
// entries. Values must differ, also if one is appended again because the first
// time had no answer: a value sealed anew does.
func (c *Client) Append(env flow.Env, journal, value string, most int) (id string, err error) {
	if err := c.check("LPUSH", journal, value, maxEntry); err != nil {
		return "", err
	}
	a, err := c.do(env, 0, "LPUSH", c.prefix+journal, value)
	if err != nil {
		return "", err
	}
	length, err := a.integer()
	if err != nil {
		return "", err
	}
	// Not each time, as it takes another call. That this one may fail is no
	// harm: the entry is in, and the next append tries again.
	if length > int64(most+most/8) {
		_, _ = c.do(env, 0, "LTRIM", c.prefix+journal, "0", strconv.Itoa(most-1))
	}
	return entryID(value), nil
}

// After returns what was appended after an entry, of the latest most entries.
// Without an id it returns all of these.
func (c *Client) After(env flow.Env, journal, id string, most int) (News, error) {
	if err := c.check("LRANGE", journal, "-", maxEntry); err != nil {
		return News{}, err
	}
	var news News
	seen := map[string]bool{}
	for start, size := 0, firstPage; start < most; start, size = start+size, nextPage {
		size = min(size, most-start)
		page, err := c.page(env, journal, start, size)
		if err != nil {
			return News{}, err
		}
		whole := len(page) == size
		fresh, met := until(page, id)
		for _, e := range fresh {
			// What is appended meanwhile moves entries into the next page.
			if !seen[e.ID] {
				seen[e.ID] = true
				news.Entries = append(news.Entries, e)
			}
		}
		if met || !whole {
			news.Complete = met || id == ""
			break
		}
	}
	slices.Reverse(news.Entries)
	return news, nil
}

// page returns entries from the newest but start on.
func (c *Client) page(env flow.Env, journal string, start, size int) ([]Entry, error) {
	a, err := c.do(env, size*(maxEntry+3), "LRANGE", c.prefix+journal, strconv.Itoa(start), strconv.Itoa(start+size-1))
	if err != nil {
		return nil, err
	}
	values, err := a.texts(size, maxEntry)
	entries := make([]Entry, len(values))
	for i, value := range values {
		entries[i] = Entry{entryID(value), value}
	}
	return entries, err
}

// until returns the entries that are newer than the one with the id, and
// whether that one is among them. Where it is there twice, the older counts: to
// read an entry again is better than to miss one.
func until(page []Entry, id string) (newer []Entry, met bool) {
	for i := len(page) - 1; i >= 0; i-- {
		if page[i].ID == id {
			return page[:i], true
		}
	}
	return page, false
}

func entryID(value string) string {
	sum := sha256.Sum256([]byte(value))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}
