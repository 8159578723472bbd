package conversation

import (
	"encoding/json"
	"slices"
)

// eachCluster lets f rename every cluster that settings name.
func eachCluster(settings []byte, f func(string) string) ([]byte, error) {
	var doc map[string]any
	if err := json.Unmarshal(settings, &doc); err != nil {
		return nil, err
	}
	providers, _ := doc["providers"].([]any)
	for _, p := range providers {
		provider, _ := p.(map[string]any)
		if name, ok := provider["cluster"].(string); ok {
			provider["cluster"] = f(name)
		}
		more, _ := provider["clusters"].(map[string]any)
		for host, name := range more {
			if name, ok := name.(string); ok {
				more[host] = f(name)
			}
		}
	}
	return json.Marshal(doc)
}

// countLearned is how many providers settings name whose keys are learned: those
// that speak OAuth 2.0 alone have none.
func countLearned(settings []byte) (n int) {
	var doc struct{ Providers []struct{ Type string } }
	_ = json.Unmarshal(settings, &doc) // settings that are none are for the gate to refuse
	for _, p := range doc.Providers {
		if p.Type != "github" && p.Type != "oauth2" {
			n++
		}
	}
	return n
}

// clusterNames are the clusters that settings name.
func clusterNames(settings []byte) (names []string, err error) {
	_, err = eachCluster(settings, func(name string) string {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
		return name
	})
	return names, err
}
