package bearer

import (
	"errors"
	"testing"

	"github.com/postern-auth/postern/internal/httpmsg"
)

func TestAFieldThatApplicationsMayReadAsATokenIsReadOrRefused(t *testing.T) {
	for name, c := range map[string]struct {
		value, token, reason string
	}{
		"one space":                    {"Bearer abc", "abc", ""},
		"several spaces":               {"bearer   abc", "abc", ""},
		"spaces around":                {" BEARER abc\t", "abc", ""},
		"another scheme":               {"Basic YTpi", "", ""},
		"another scheme of that start": {"Bearer-X abc", "", ""},
		"nothing":                      {"", "", ""},
		"a tab for a space":            {"Bearer\tabc", "", "authorization_malformed"},
		"a tab after the space":        {"Bearer \tabc", "", "authorization_malformed"},
		"a hard space":                 {"Bearer\xa0abc", "", "authorization_malformed"},
		"a hard space, encoded":        {"Bearer\u00a0abc", "", "authorization_malformed"},
		"a hard space in front":        {"\xa0Bearer abc", "", "authorization_malformed"},
		"a comma":                      {"Bearer,abc", "", "authorization_malformed"},
		"an equals sign":               {"Bearer=abc", "", "authorization_malformed"},
		"in quotes":                    {`"Bearer" abc`, "", "authorization_malformed"},
		"behind a hard space's comma":  {"Basic YTpi,\xa0DPoP abc", "", "authorization_malformed"},
		"a token that is not ASCII":    {"Bearer \u00e4", "", "authorization_malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Read(httpmsg.Fields{{Name: "authorization", Value: c.value}}, "")
			var r *Refusal
			if errors.As(err, &r) != (c.reason != "") || r != nil && r.Reason != c.reason || got.Token != c.token {
				t.Errorf("token %q, error %v", got.Token, err)
			}
		})
	}
}

func TestATokenInTheQueryIsFoundHoweverItIsWritten(t *testing.T) {
	for query, in := range map[string]bool{
		"access_token=x": true, "a=b&access_token=": true, "acc%65ss_token=x": true, "access%5Ftoken": true,
		"a=b;access_token=x": true,
		"token=x":            false, "xaccess_token=x": false, "a=access_token": false, "": false,
	} {
		if InQuery(query) != in {
			t.Errorf("%s: %v", query, !in)
		}
	}
}
