package shared

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"
	"time"
)

// How answers to questions are laid out: each slot holds one claim, by whoever
// is asking, and one answer. The two may be of different questions. An answer
// gives way to that of another question; a claim in force does not.

// questionID stands for a question. The zero id is no question's.
type questionID [16]byte

func idOf(question string) questionID {
	sum := sha256.Sum256([]byte(question))
	return questionID(sum[:16])
}

// slot returns the slot of a question.
func (o *Once) slot(id questionID) string {
	return o.name + "/" + strconv.Itoa(int(binary.BigEndian.Uint32(id[12:])%uint32(o.count)))
}

// answer is what a provider said to a question.
type answer struct {
	id    questionID
	round uint64    // of the claim that it came of
	good  time.Time // until when; zero: for those who waited for it
	bytes []byte
}

func (a *answer) goodFor(id questionID, now time.Time) bool {
	return a.id == id && now.Before(a.good)
}

// lease says who is asking.
type lease struct {
	id      questionID
	holder  uint64
	overdue time.Time
}

func (c *lease) inForce(now time.Time) bool {
	return now.Before(c.overdue) && !c.overdue.After(now.Add(longestClaim))
}

// record is what a slot holds.
type record struct {
	round  uint64 // how many claims there were: it tells answers asked for later from earlier ones
	claim  lease
	answer answer
}

const recordHead = 8 + (16 + 8 + 8) + (16 + 8 + 8)

func (r *record) encode() []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, recordHead+len(r.answer.bytes)), r.round)
	b = append(b, r.claim.id[:]...)
	b = appendTime(binary.BigEndian.AppendUint64(b, r.claim.holder), r.claim.overdue)
	b = append(b, r.answer.id[:]...)
	b = appendTime(binary.BigEndian.AppendUint64(b, r.answer.round), r.answer.good)
	return append(b, r.answer.bytes...)
}

// decodeRecord reads a slot. What is no record is one in which nothing is
// known.
func decodeRecord(b []byte) (r record) {
	if len(b) < recordHead || len(b) > recordHead+MaxAnswer {
		return r
	}
	r.round = binary.BigEndian.Uint64(b)
	r.claim = lease{questionID(b[8:24]), binary.BigEndian.Uint64(b[24:]), readTime(b[32:])}
	r.answer = answer{questionID(b[40:56]), binary.BigEndian.Uint64(b[56:]), readTime(b[64:]), b[recordHead:]}
	return r
}

// knownAnswers are the good answers that a worker has seen, bounded in number
// and in bytes.
type knownAnswers struct {
	answers map[questionID]answer
	most    int
	room    int // bytes left
}

func newKnownAnswers(most int) knownAnswers {
	return knownAnswers{answers: map[questionID]answer{}, most: most, room: most * MaxAnswer}
}

// get returns the answer to a question if it is known and good.
func (k *knownAnswers) get(id questionID, now time.Time) (answer, bool) {
	a, ok := k.answers[id]
	if ok && !now.Before(a.good) {
		k.drop(id)
		return answer{}, false
	}
	return a, ok
}

// put keeps an answer in place of the one before. One that is not good for
// later only has the one before forgotten.
func (k *knownAnswers) put(id questionID, a answer, now time.Time) {
	k.drop(id)
	if !now.Before(a.good) {
		return
	}
	for len(k.answers) > 0 && (len(k.answers) >= k.most || k.room < len(a.bytes)) {
		k.drop(k.firstToEnd())
	}
	if k.room >= len(a.bytes) {
		k.answers[id] = a
		k.room -= len(a.bytes)
	}
}

func (k *knownAnswers) drop(id questionID) {
	if a, ok := k.answers[id]; ok {
		k.room += len(a.bytes)
		delete(k.answers, id)
	}
}

// firstToEnd returns the question whose answer is good for the shortest time.
func (k *knownAnswers) firstToEnd() (first questionID) {
	var ends time.Time
	for id, a := range k.answers {
		if ends.IsZero() || a.good.Before(ends) {
			first, ends = id, a.good
		}
	}
	return first
}
