// Package image makes an OCI image of postern.wasm, and brings it to a registry
// or into a file.
//
// The image is what Istio, Envoy Gateway and any registry take: one manifest, no
// index, one layer, a tar file under gzip with plugin.wasm in it. Everything in it
// follows from the module and what is said of it, so that the same module gives
// the same digest. The list of what the module is made of is a manifest of its own
// that refers to the image, and stands at no tag.
//
// It refuses a file that is not a module which a proxy-wasm host would load, and
// to speak to a registry over plain HTTP, but for one on this machine where that
// was asked for. What was pushed is fetched again and compared before a digest is
// told to anybody.
//
// It follows the OCI image and distribution specifications, version 1.1, and the
// image specification for proxies of the solo-io/wasm project ("compat").
package image
