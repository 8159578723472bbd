package demo

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
)

// ruleSteps try what the rules of settings.yaml promise.
func (v *visit) ruleSteps() []step {
	steps := []step{
		{"the application for everybody", v.everybodys},
		{"the application for group2", v.group2s},
	}
	if slices.Contains(v.person.Groups, "admins") {
		return append(steps,
			step{"the page for admins asks for the password once more", v.askedAgain},
			step{"and opens after that", v.steppedUp},
		)
	}
	return append(steps, step{"the page for admins", v.notForThem})
}

func (v *visit) everybodys() (string, error) {
	if _, err := v.ask("/app1/", nil); err != nil {
		return "", err
	}
	return "200", nil
}

func (v *visit) group2s() (string, error) {
	if !slices.Contains(v.person.Groups, "group2") {
		return v.refused("/app2/")
	}
	if _, err := v.ask("/app2/", nil); err != nil {
		return "", err
	}
	return "200", nil
}

func (v *visit) notForThem() (string, error) { return v.refused("/admin/") }

// refused opens a page that no login helps this person to.
func (v *visit) refused(path string) (string, error) {
	r, err := v.browser.open(v.ctx, v.place.base()+path)
	if err != nil {
		return "", err
	}
	if r.status != http.StatusForbidden || r.header.Get("Location") != "" {
		return "", fmt.Errorf("expected status 403 and no redirect, got %d", r.status)
	}
	return "403, and a page that says why", nil
}

func (v *visit) askedAgain() (string, error) {
	r, err := v.browser.open(v.ctx, v.place.base()+"/admin/")
	if err != nil {
		return "", err
	}
	if _, err := v.checkAuthorizationRequest(r); err != nil {
		return "", err
	}
	to, err := r.location()
	if err != nil {
		return "", err
	}
	for name, want := range map[string]string{"acr_values": "gold", "max_age": "600"} {
		if got := to.Query().Get(name); got != want {
			return "", fmt.Errorf("%s is %q, not %q", name, got, want)
		}
	}
	v.at = r
	if _, err := v.askedToSignIn(); err != nil {
		return "", err
	}
	return "the provider was told acr_values and max_age, and shows its form", nil
}

func (v *visit) steppedUp() (string, error) {
	if _, err := v.signedIn(); err != nil {
		return "", err
	}
	for hops := 0; v.at.status/100 == 3; hops++ {
		to, err := v.at.location()
		if err != nil {
			return "", err
		}
		if hops == 4 {
			return "", errors.New("the redirects do not end")
		}
		if v.at, err = v.browser.open(v.ctx, to.String()); err != nil {
			return "", err
		}
	}
	if v.at.status != http.StatusOK || v.at.address.Path != "/admin/" {
		return "", fmt.Errorf("it ended at %s with status %d", v.at.address.Path, v.at.status)
	}
	return "200", nil
}
