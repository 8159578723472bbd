// Package spelling finds the word that somebody probably meant. It never puts one
// in place of another: that is for whoever misspelt it to do.
//
// It follows no specification.
package spelling

const (
	maxWord  = 64 // bytes of a word that is looked at
	mistakes = 2  // letters that may be wrong
)

// Nearest is the word that comes closest to another, or "" if none comes close.
func Nearest(word string, words []string) (near string) {
	if len(word) > maxWord {
		return ""
	}
	least := mistakes + 1
	for _, w := range words {
		if d := distance(word, w); d < least && d < len(w) {
			near, least = w, d
		}
	}
	return near
}

// distance is the number of insertions, deletions and substitutions that make
// b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
