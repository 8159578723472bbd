package tryout

import (
	"errors"
	"net"
	"strings"

	"github.com/postern-auth/postern/internal/httpmsg"
)

// Address is the address of a request, taken apart and left as it was written:
// what is odd about its path is for the gate to say.
type Address struct {
	Scheme    string
	Authority string
	Target    string
}

// ParseAddress takes an http or https address apart.
func ParseAddress(text string) (*Address, error) {
	scheme, rest, absolute := strings.Cut(text, "://")
	scheme = strings.ToLower(scheme)
	if !absolute || scheme != "https" && scheme != "http" {
		return nil, errors.New("the address must be a whole one, such as https://app.example.com/admin")
	}
	a := &Address{Scheme: scheme, Authority: rest, Target: "/"}
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		a.Authority, a.Target = rest[:i], rest[i:]
	}
	if a.Target[0] != '/' {
		a.Target = "/" + a.Target
	}
	if i := strings.IndexByte(a.Target, '#'); i >= 0 {
		a.Target = a.Target[:i] // browsers keep it to themselves
	}
	switch {
	case a.Authority == "":
		return nil, errors.New("the address names no host")
	case strings.Contains(a.Authority, "@"):
		return nil, errors.New("the address holds credentials")
	}
	return a, nil
}

// Host is the host in lower case, without its port.
func (a *Address) Host() string {
	host, _, err := httpmsg.ParseAuthority(a.Authority)
	if err != nil {
		return ""
	}
	return host
}

// Port is the port that was named, or "".
func (a *Address) Port() string {
	_, port, err := net.SplitHostPort(a.Authority)
	if err != nil {
		return ""
	}
	return port
}

// Path is the path as it was written.
func (a *Address) Path() string {
	path, _, _ := strings.Cut(a.Target, "?")
	return path
}

// String is the address.
func (a *Address) String() string { return a.Scheme + "://" + a.Authority + a.Target }
