package jws

import "testing"

func TestHowDeepClaimsNest(t *testing.T) {
	for name, c := range map[string]struct {
		json  string
		depth int
	}{
		"nothing":                          {``, 0},
		"a number":                         {`1`, 0},
		"an object":                        {`{"a":1}`, 1},
		"a list of objects":                {`[{},{},{}]`, 2},
		"brackets in a string":             {`{"a":"[[[{{{"}`, 1},
		"brackets after a quote in it":     {`{"a":"\"[[[{{{"}`, 1},
		"brackets after a backslash in it": {`{"a":"\\"  ,"b":[["]]]"]]}`, 3},
		"a string without end":             {`"[[[`, 0},
		"a backslash at the end":           {`"[[[\`, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if Deeper([]byte(c.json), c.depth) || c.depth > 0 && !Deeper([]byte(c.json), c.depth-1) {
				t.Errorf("is not %d deep", c.depth)
			}
		})
	}
}
