package bearer

import (
	"encoding/base64"
	"encoding/hex"
)

// CertificateHash returns the hash of a certificate as a token's confirmation
// gives it (x5t#S256, RFC 8705 section 3.1) from the SHA-256 digest in
// hexadecimal digits, as Envoy gives it.
func CertificateHash(hexDigest string) (x5t string, ok bool) {
	if len(hexDigest) != 64 {
		return "", false
	}
	sum, err := hex.DecodeString(hexDigest)
	if err != nil {
		return "", false
	}
	return base64.RawURLEncoding.EncodeToString(sum), true
}
