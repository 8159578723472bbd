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

// countProviders is how many providers settings name.
func countProviders(settings []byte) int {
	var doc struct{ Providers []json.RawMessage }
	_ = json.Unmarshal(settings, &doc) // settings that are none are for the gate to refuse
	return len(doc.Providers)
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
