// Package manifests holds what we hand out for Envoy, Istio and Kubernetes to
// the types, the schemas and the tools of those: each configuration is taken
// apart strictly, and what a cluster would refuse is refused here. It is all
// tests, and a module of its own, so that Kubernetes' and Helm's libraries are
// no dependencies of Postern's.
package manifests
