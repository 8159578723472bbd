package migrate

import (
	"errors"
	"strings"

	"github.com/postern-auth/postern/internal/config"
)

// loopbackHosts reports whether settings may have cookies over plain http: all
// their hosts are on one machine.
func loopbackHosts(probe *Map) bool {
	_, err := config.Parse(probe.JSON(), func(string) (string, bool) { return "", false })
	var problems config.Problems
	if !errors.As(err, &problems) {
		return true
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Path, "insecure_http_cookies") || strings.HasPrefix(p.Path, "hosts") {
			return false
		}
	}
	return true
}
