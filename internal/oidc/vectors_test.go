package oidc

import (
	"encoding/json"
	"strings"
	"testing"
)

// The examples of RFC 7515, appendix A.
const (
	claimsOfA1 = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"

	hs256OfA1 = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." + claimsOfA1 + ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	rs256OfA2 = "eyJhbGciOiJSUzI1NiJ9." + claimsOfA1 + "." +
		"cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4" +
		"BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqv" +
		"hJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
	es256OfA3 = "eyJhbGciOiJFUzI1NiJ9." + claimsOfA1 + "." +
		"DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
	es512OfA4 = "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA." +
		"AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8Kp" +
		"EHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn"
	noneOfA5 = "eyJhbGciOiJub25lIn0." + claimsOfA1 + "."

	octOfA1 = `{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}`
	rsaOfA2 = `{"kty":"RSA","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pC` +
		`gNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5` +
		`IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"}`
	ecOfA3   = `{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`
	p521OfA4 = `{"kty":"EC","crv":"P-521","x":"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk",` +
		`"y":"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2"}`
)

func TestTheExamplesOfRFC7515(t *testing.T) {
	const joe = "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}"
	for name, c := range map[string]struct {
		token, keys, payload, reason string
	}{
		"A.1, HS256, beside keys of other kinds": {hs256OfA1, octOfA1 + "," + rsaOfA2, "", "malformed_or_algorithm"},
		"A.1, HS256, by its key alone":           {hs256OfA1, octOfA1, "", "no_usable_key"},
		"A.2, RS256":                             {rs256OfA2, rsaOfA2, joe, ""},
		"A.2, RS256, by another key":             {rs256OfA2, ecOfA3, "", "key_unknown"},
		"A.3, ES256":                             {es256OfA3, ecOfA3, joe, ""},
		"A.3, ES256, among keys of other kinds":  {es256OfA3, rsaOfA2 + "," + p521OfA4 + "," + ecOfA3, joe, ""},
		"A.3, ES256, changed":                    {strings.Replace(es256OfA3, "DtEh", "DtEi", 1), ecOfA3, "", "signature"},
		"A.4, ES512":                             {es512OfA4, p521OfA4, "Payload", ""},
		"A.5, none":                              {noneOfA5, rsaOfA2, "", "malformed_or_algorithm"},
	} {
		t.Run(name, func(t *testing.T) {
			payload, err := verifyVector(newFake(t), []byte(`{"keys":[`+c.keys+`]}`), c.token)
			if string(payload) != c.payload || c.reason != "" && Reason(err) != c.reason || c.reason == "" && err != nil {
				t.Errorf("got %q and %v, want %s", payload, err, c.reason)
			}
		})
	}
}

// The tokens of RFC 7520, section 4, are among Wycheproof's, whose keys name
// other algorithms than the section has. Here they name none, as there.
func TestTheExamplesOfRFC7520(t *testing.T) {
	want := map[string]string{ // section 4 by figure, RS256, PS384, ES512, HS256
		"Figure13": "", "Figure20": "", "Figure27": "", "Figure35": "no_usable_key",
	}
	verified := 0
	for _, g := range wycheproofGroups(t, "json_web_signature_test.json") {
		if !strings.HasPrefix(g.Comment, "rfc7520") {
			continue
		}
		var set struct {
			Keys []map[string]any `json:"keys"`
		}
		if err := json.Unmarshal(g.keySet(), &set); err != nil {
			t.Fatal(err)
		}
		delete(set.Keys[0], "alg")
		keys, err := json.Marshal(set)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range g.Tests {
			payload, err := verifyVector(newFake(t), keys, token(v.JWS))
			reason, known := want[v.Comment]
			switch {
			case !known:
				t.Errorf("%s is not known", v.Comment)
			case reason != "" && Reason(err) != reason:
				t.Errorf("%s: %v, want %s", v.Comment, err, reason)
			case reason == "" && (err != nil || !strings.HasPrefix(string(payload), "It\u2019s a dangerous business, Frodo")):
				t.Errorf("%s: %q, %v", v.Comment, payload, err)
			case reason == "":
				verified++
			}
		}
	}
	if verified != 6 {
		t.Errorf("%d were verified, want 6", verified)
	}
}
