package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/postern-auth/postern/internal/config"
)

// Which words and which numbers a setting takes stands in code and not in
// comments. So the parser is asked: it is given what no setting takes, and says
// what would be right.

// problemAt parses settings in which there is hardly more than a value at path, and
// returns what is wrong with that.
func problemAt(path string, value any) (string, error) {
	keys := strings.Split(path, ".")
	for i := len(keys) - 1; i >= 0; i-- {
		name, lists := keys[i], 0
		for strings.HasSuffix(name, "[]") {
			name, lists = strings.TrimSuffix(name, "[]"), lists+1
		}
		if name == "*" {
			name = "key"
		}
		for range lists {
			value = []any{value}
		}
		value = map[string]any{name: value}
	}
	text, err := json.Marshal(value)
	if err != nil {
		return "", err
	}
	_, err = config.Parse(text, func(string) (string, bool) { return "", false })
	var problems config.Problems
	if !errors.As(err, &problems) {
		return "", fmt.Errorf("%s: settings with nothing else are taken", path)
	}
	at := strings.ReplaceAll(strings.ReplaceAll(path, "[]", "[0]"), "*", "key")
	for _, p := range problems {
		if p.Path == at {
			return p.Message, nil
		}
	}
	return "", nil
}

var (
	oneOf   = regexp.MustCompile(`^"[^"]*" is not one of (.+)$`)
	mustBe  = regexp.MustCompile(`^must be "([^"]+)"$`)
	between = regexp.MustCompile(`^-?[0-9]+ is not from ([0-9]+) to ([0-9]+)$`)
)

// wordsAt returns the words that a string at path has to be one of, if it has, and
// whether several of them may stand there, with blanks between.
func wordsAt(path string) (words []string, several bool, err error) {
	words, err = wordsFor(path, "?")
	if err != nil || len(words) < 2 {
		return words, false, err
	}
	again, err := wordsFor(path, words[0]+" "+words[1])
	if err != nil || again != nil {
		return words, false, err
	}
	// Two of some words exclude each other; what counts is that the whole was not
	// taken for one word.
	return words, true, nil
}

func wordsFor(path, value string) ([]string, error) {
	message, err := problemAt(path, value)
	if err != nil {
		return nil, err
	}
	if found := mustBe.FindStringSubmatch(message); found != nil {
		return []string{found[1]}, nil
	}
	if found := oneOf.FindStringSubmatch(message); found != nil {
		return slices.DeleteFunc(strings.Split(found[1], ", "), func(w string) bool { return w == "" }), nil
	}
	return nil, nil
}

// boundsAt returns what a number at path is from and to, if it has bounds.
func boundsAt(path string) (least, most int, bounded bool, err error) {
	for _, probe := range []int{-1, 1<<31 - 1} {
		message, err := problemAt(path, probe)
		if err != nil {
			return 0, 0, false, err
		}
		found := between.FindStringSubmatch(message)
		if found == nil {
			continue
		}
		least, err := strconv.Atoi(found[1])
		if err != nil {
			return 0, 0, false, err
		}
		most, err := strconv.Atoi(found[2])
		return least, most, err == nil, err
	}
	return 0, 0, false, nil
}
