package operations

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

const dashboardFile = "envoy/grafana/postern.json"

type target struct {
	RefID        string
	Expr         string
	LegendFormat string
	Datasource   struct{ Type, UID string }
}

type panel struct {
	ID                       int
	Type, Title, Description string
	GridPos                  struct{ X, Y, W, H int }
	Targets                  []target
	Datasource               struct{ Type, UID string }
	FieldConfig              struct {
		Defaults struct{ Unit string }
	}
}

type dashboard struct {
	Title, UID    string
	SchemaVersion int
	ID            *int
	Panels        []panel
	Templating    struct {
		List []struct{ Name, Type, Definition string }
	}
	Annotations struct {
		List []struct{ Name, Expr string }
	}
}

func theDashboard(t *testing.T) dashboard {
	t.Helper()
	var d dashboard
	if err := json.Unmarshal(read(t, dashboardFile), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// chosen puts values in the place of the dashboard's variables, as Grafana does.
var chosen = strings.NewReplacer("$job", "postern", "$instance", ".*", "$provider", "keycloak", "$__rate_interval", "5m")

func dashboardExpressions(t *testing.T) []expression {
	t.Helper()
	var all []expression
	d := theDashboard(t)
	for _, p := range d.Panels {
		for _, q := range p.Targets {
			all = append(all, expression{dashboardFile + ": " + p.Title, chosen.Replace(q.Expr)})
		}
	}
	for _, a := range d.Annotations.List {
		all = append(all, expression{dashboardFile + ": " + a.Name, chosen.Replace(a.Expr)})
	}
	return all
}

func TestTheDashboardCanBeImported(t *testing.T) {
	d := theDashboard(t)
	if d.Title != "Postern" || d.UID != "postern" || d.SchemaVersion < 36 || d.ID != nil {
		t.Errorf("title %q, uid %q, schema %d, id %v", d.Title, d.UID, d.SchemaVersion, d.ID)
	}
	var names []string
	for _, v := range d.Templating.List {
		names = append(names, v.Name)
	}
	if want := []string{"datasource", "job", "instance", "provider"}; !slices.Equal(names, want) {
		t.Errorf("its variables are %q, not %q", names, want)
	}
	ids, titles := map[int]bool{}, map[string]bool{}
	for _, p := range d.Panels {
		if ids[p.ID] || titles[p.Title] {
			t.Errorf("%q: its number %d or its title is there twice", p.Title, p.ID)
		}
		ids[p.ID], titles[p.Title] = true, true
	}
}

func TestEveryPanelSaysWhatItShowsAndInWhichUnit(t *testing.T) {
	units := []string{"none", "reqps", "opm", "percentunit", "ms", "s", "bytes"}
	for _, p := range theDashboard(t).Panels {
		if p.Type == "row" {
			continue
		}
		if p.Type != "stat" && p.Type != "timeseries" {
			t.Errorf("%q is a %q", p.Title, p.Type)
		}
		if p.Title == "" || len(p.Description) < 20 || !slices.Contains(units, p.FieldConfig.Defaults.Unit) {
			t.Errorf("%q: described by %q, unit %q", p.Title, p.Description, p.FieldConfig.Defaults.Unit)
		}
		refs := map[string]bool{}
		for _, q := range p.Targets {
			if q.RefID == "" || refs[q.RefID] || q.Expr == "" || q.Datasource.UID != "${datasource}" || p.Datasource.UID != "${datasource}" {
				t.Errorf("%q: question %q of %q", p.Title, q.RefID, q.Datasource.UID)
			}
			refs[q.RefID] = true
			if !strings.Contains(q.Expr, `job=~"$job", instance=~"$instance"`) {
				t.Errorf("%q does not go by what was chosen above: %s", p.Title, q.Expr)
			}
		}
		if len(p.Targets) == 0 {
			t.Errorf("%q asks nothing", p.Title)
		}
	}
}

func TestNoPanelLiesOnAnother(t *testing.T) {
	taken := map[[2]int]string{}
	for _, p := range theDashboard(t).Panels {
		g := p.GridPos
		if g.W < 1 || g.H < 1 || g.X < 0 || g.X+g.W > 24 {
			t.Errorf("%q lies at %+v", p.Title, g)
		}
		for x := g.X; x < g.X+g.W; x++ {
			for y := g.Y; y < g.Y+g.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" {
					t.Fatalf("%q lies on %q", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
	}
}
