// Package release says which release this is: of the module, of the command and
// of the image, which are made from one tree.
package release

// Version is the release that this tree is, or becomes (https://semver.org).
const Version = "0.8.0"
