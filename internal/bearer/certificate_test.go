package bearer

import (
	"strings"
	"testing"
)

func TestACertificateIsNamedAsTokensNameIt(t *testing.T) {
	// The digest of nothing: FIPS 180-4 examples.
	const digest, want = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
	for _, given := range []string{digest, strings.ToUpper(digest)} {
		if x5t, ok := CertificateHash(given); x5t != want || !ok {
			t.Errorf("%q, %t", x5t, ok)
		}
	}
	for name, given := range map[string]string{
		"nothing": "", "a short digest": digest[2:], "a long digest": digest + "00",
		"no hexadecimal digits": strings.Replace(digest, "e", "g", 1), "colons": "e3:" + digest[3:],
	} {
		if x5t, ok := CertificateHash(given); x5t != "" || ok {
			t.Errorf("%s: %q, %t", name, x5t, ok)
		}
	}
}
