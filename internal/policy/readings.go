package policy

import (
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/httpmsg"
)

// overrides are fields by which many frameworks take another method for the
// request's than the one it has.
var overrides = []string{"x-http-method-override", "x-http-method", "x-method-override"}

var overriding = httpmsg.NewNameSet(overrides, nil)

// MethodFields are the names of the fields that may name another method.
func MethodFields() []string { return slices.Clone(overrides) }

// maxLayers is how many more times than once a path is decoded, and maxPaths how
// many there can be then: httpmsg refuses what is encoded more often.
const (
	maxLayers = 3
	maxPaths  = 3 * (1 + maxLayers)
)

// readings are the ways in which an application may read a request: each of the
// paths with each of the methods. The first is the request as it is written.
type readings struct {
	paths   [maxPaths]string
	methods [4]string
	np, nm  int
}

// readings returns how a request may be read. Methods count only where a rule
// looks at them.
func (rs *Rules) readings(r *Request) (ways readings, err error) {
	ways.addPaths(r.Path)
	if strings.Contains(r.Path, "%25") {
		// Some servers, or those in front of them, decode twice. What has another
		// structure beneath its escapes never comes here.
		layer := httpmsg.DecodeOnce(r.Path)
		for range maxLayers {
			layer = httpmsg.DecodeOnce(layer)
			ways.addPaths(layer)
		}
	}
	ways.addMethod(r.Method)
	if rs.methods {
		err = ways.addOverrides(r.Header)
	}
	return ways, err
}

// plain reports whether a request can be read in one way only, as most can.
func (rs *Rules) plain(r *Request) bool {
	for i := range len(r.Path) {
		if c := r.Path[i]; c == ';' || c == '%' {
			return false
		}
	}
	if rs.methods && !r.OneMethod {
		for i := range r.Header {
			if overriding.Has(r.Header[i].Name) {
				return false
			}
		}
	}
	return true
}

// addPaths adds a path with its parameters and without. Some servers cut them
// off; some of these then take the slashes between which nothing is left for one.
func (ways *readings) addPaths(path string) {
	ways.addPath(path)
	if strings.IndexByte(path, ';') >= 0 {
		cut := httpmsg.WithoutParams(path)
		ways.addPath(cut)
		ways.addPath(merged(cut))
	}
}

func (ways *readings) addPath(path string) {
	for _, known := range ways.paths[:ways.np] {
		if known == path {
			return
		}
	}
	ways.paths[ways.np] = path
	ways.np++
}

func (ways *readings) addMethod(method string) {
	for _, known := range ways.methods[:ways.nm] {
		if known == method {
			return
		}
	}
	ways.methods[ways.nm] = method
	ways.nm++
}

// addOverrides adds the methods that fields name. Of several values in one field
// frameworks take the first, the last or none.
func (ways *readings) addOverrides(header httpmsg.Fields) error {
	var seen [3]bool
	for i := range header {
		if !overriding.Has(header[i].Name) {
			continue
		}
		for n, name := range overrides {
			if !httpmsg.SameSpelling(header[i].Name, name) {
				continue
			}
			if seen[n] || strings.IndexByte(header[i].Value, ',') >= 0 {
				return ErrRepeated
			}
			seen[n] = true
		}
		if method := strings.ToUpper(strings.Trim(header[i].Value, " \t")); method != "" {
			ways.addMethod(method)
		}
	}
	return nil
}

// maxAmbiguous is the longest path, in bytes, that is looked at in several ways:
// each of them costs what the expressions of all rules cost.
const maxAmbiguous = 2 << 10

// Need returns what the request needs, however an application may read it: it
// is refused where a field that a rule looks at came twice, and where a long path
// can be read in several ways.
func (rs *Rules) Need(r Request) (Need, error) {
	if rs.plain(&r) {
		return rs.find(&r)
	}
	ways, err := rs.readings(&r)
	if err != nil {
		return Need{}, err
	}
	if ways.np*ways.nm > 1 && len(r.Path) > maxAmbiguous {
		return Need{}, ErrAmbiguous
	}
	need, err := rs.find(&r)
	for i := 1; i < ways.np*ways.nm && err == nil; i++ {
		r.Path, r.Method = ways.at(i)
		var other Need
		if other, err = rs.find(&r); err == nil {
			need = need.And(other)
		}
	}
	if err != nil {
		return Need{}, err
	}
	return need, nil
}

// at returns one of the readings.
func (ways *readings) at(i int) (path, method string) {
	return ways.paths[i/ways.nm], ways.methods[i%ways.nm]
}

// merged is a path with one slash for several in a row.
func merged(path string) string {
	if !strings.Contains(path, "//") {
		return path
	}
	var b strings.Builder
	for i := range len(path) {
		if path[i] != '/' || i == 0 || path[i-1] != '/' {
			b.WriteByte(path[i])
		}
	}
	return b.String()
}
