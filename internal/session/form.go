package session

import (
	"encoding/base64"
	"io"
	"strconv"
	"strings"
	"time"
)

// Form is a form that a browser keeps, sealed, while its person signs in: what
// was to be posted, and where.
type Form struct {
	Action string // path and query
	Back   string // the page that it was on; "" where that is not known
	Made   int64  // seconds since 1970
	Body   []byte
}

// MaxForm is the longest body of a form that is kept, in bytes.
const MaxForm = 32 << 10

// MaxSealedForm is the most bytes that a sealed form takes: the body, two
// addresses of at most 2048 bytes, and what seals them, in base64.
const MaxSealedForm = (MaxForm + 5<<10) / 3 * 4

// SealForm returns a form that opens in the browser with the binding alone, at
// the origin alone, by both being associated data of the seal.
func (r *Keyring) SealForm(b *Binding, origin string, f Form, random io.Reader) (string, error) {
	head := strconv.FormatInt(f.Made, 10) + "\n" + f.Action + "\n" + f.Back + "\n"
	box, err := r.SealBox(PurposeForm, formName(b.Secret, origin), append([]byte(head), f.Body...), random)
	if err != nil {
		return "", err
	}
	sealed := base64.RawURLEncoding.EncodeToString(box)
	if len(sealed) > MaxSealedForm {
		return "", ErrTooLarge
	}
	return sealed, nil
}

// OpenForm opens what SealForm returned, while it is younger than the lifetime.
func (r *Keyring) OpenForm(b *Binding, origin, sealed string, now time.Time, lifetime time.Duration) (f Form, err error) {
	box, err := base64.RawURLEncoding.Strict().DecodeString(sealed)
	if err != nil || len(sealed) > MaxSealedForm || strings.ContainsAny(sealed, "\r\n") { // which the decoder passes over
		return Form{}, ErrSealed
	}
	for _, secret := range [][]byte{b.Secret, b.Previous} {
		if len(secret) != 32 {
			continue
		}
		if plain, err := r.OpenBox(PurposeForm, formName(secret, origin), box); err == nil {
			return readForm(string(plain), now, lifetime)
		}
	}
	return Form{}, ErrSealed
}

func readForm(plain string, now time.Time, lifetime time.Duration) (f Form, err error) {
	parts := strings.SplitN(plain, "\n", 4)
	if len(parts) != 4 {
		return Form{}, ErrSealed
	}
	f = Form{Action: parts[1], Back: parts[2], Body: []byte(parts[3])}
	if f.Made, err = strconv.ParseInt(parts[0], 10, 64); err != nil || !within(now, f.Made, lifetime) {
		return Form{}, ErrSealed
	}
	return f, nil
}

// formName is what a form is sealed under. A hash, as wherever a binding's secret
// is held against something.
func formName(secret []byte, origin string) string {
	return origin + " " + base64.RawURLEncoding.EncodeToString(hashSecret(secret))
}
