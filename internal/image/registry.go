package image

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/postern-auth/postern/internal/config"
)

// Target is where in a registry an image goes.
type Target struct {
	ref   name.Reference
	tags  []name.Tag
	plain bool
}

// ParseTarget reads a reference such as registry.example.com/postern:0.8.0, and
// further tags. Over plain HTTP only a registry on this machine may be reached.
func ParseTarget(ref string, tags []string, plainHTTP bool) (*Target, error) {
	options := []name.Option{name.StrictValidation}
	if len(tags) > 0 && !strings.Contains(path.Base(ref), ":") {
		ref += ":" + tags[0] // a repository, with tags beside
	}
	if plainHTTP {
		options = append(options, name.Insecure)
	}
	parsed, err := name.ParseReference(ref, options...)
	if err != nil {
		return nil, fmt.Errorf("%q is not a registry, a repository and a tag, such as registry.example.com/postern:0.8.0", ref)
	}
	t := &Target{ref: parsed, plain: plainHTTP}
	if _, byDigest := parsed.(name.Digest); byDigest {
		return nil, errors.New("the digest of what is pushed follows from it: name a tag")
	}
	if host := parsed.Context().RegistryStr(); plainHTTP && !loopback(host) {
		return nil, fmt.Errorf("plain HTTP is for a registry on this machine, which %s is not: what goes there could be changed on the way", host)
	}
	for _, tag := range tags {
		parsed, err := name.NewTag(t.ref.Context().Name()+":"+tag, options...)
		if err != nil {
			return nil, err
		}
		t.tags = append(t.tags, parsed)
	}
	return t, nil
}

// loopback reports whether a registry is on this machine.
func loopback(registry string) bool {
	host, _, err := net.SplitHostPort(registry)
	if err != nil {
		host = strings.Trim(registry, "[]")
	}
	return config.Loopback(host)
}

// String is the reference that was given.
func (t *Target) String() string { return t.ref.Name() }

// Repository is where it is without its tag.
func (t *Target) Repository() string { return t.ref.Context().Name() }

// Access is how a registry is spoken to.
type Access struct {
	// User and Password are those for the registry; without them those that
	// `docker login` keeps are used.
	User, Password string
	// Agent is what it is told who calls.
	Agent string
	// Timeout is for all of it.
	Timeout time.Duration
}

// Push brings an image to a registry, fetches it from there, and compares.
func (i *Image) Push(ctx context.Context, to *Target, a Access) error {
	ctx, cancel := context.WithTimeout(ctx, a.Timeout)
	defer cancel()
	options := a.options(ctx, to.plain)
	if err := remote.Write(to.ref, i.image, options...); err != nil {
		return fmt.Errorf("image: push: %w", err)
	}
	if i.sbom != nil {
		ref := to.ref.Context().Digest(i.SBOMDigest())
		if err := remote.Write(ref, i.sbom, options...); err != nil {
			return fmt.Errorf("image: push of the SBOM: %w", err)
		}
	}
	for _, tag := range to.tags {
		if err := remote.Tag(tag, i.image, options...); err != nil {
			return fmt.Errorf("image: tag %s: %w", tag.TagStr(), err)
		}
	}
	return i.compare(to, options)
}

func (a Access) options(ctx context.Context, plain bool) []remote.Option {
	options := []remote.Option{remote.WithContext(ctx), remote.WithUserAgent(a.Agent), remote.WithTransport(guarded{remote.DefaultTransport, plain})}
	if a.User != "" || a.Password != "" {
		return append(options, remote.WithAuth(authn.FromConfig(authn.AuthConfig{Username: a.User, Password: a.Password})))
	}
	return append(options, remote.WithAuthFromKeychain(authn.DefaultKeychain))
}

// guarded lets nothing leave over plain HTTP: the library would fall back to it
// for private addresses and for localhost, with whatever password there is.
type guarded struct {
	http.RoundTripper
	plain bool
}

var errPlainHTTP = errors.New("the registry speaks plain HTTP; --insecure-http allows that for one on this machine")

func (g guarded) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" && (!g.plain || !loopback(r.URL.Host)) {
		return nil, errPlainHTTP
	}
	return g.RoundTripper.RoundTrip(r)
}

// compare fetches what was pushed, under each of its names.
func (i *Image) compare(to *Target, options []remote.Option) error {
	for _, tag := range append([]name.Reference{to.ref}, references(to.tags)...) {
		found, err := remote.Get(tag, options...)
		if err != nil {
			return fmt.Errorf("image: fetch of what was pushed: %w", err)
		}
		if found.Digest.String() != i.Digest() {
			return fmt.Errorf("image: at %s is %s now, and %s was pushed", tag.Name(), found.Digest, i.Digest())
		}
	}
	pulled, err := remote.Image(to.ref.Context().Digest(i.Digest()), options...)
	if err != nil {
		return fmt.Errorf("image: fetch of what was pushed: %w", err)
	}
	module, err := moduleIn(pulled)
	if err != nil {
		return fmt.Errorf("image: fetch of what was pushed: %w", err)
	}
	if !bytes.Equal(module, i.Module.Bytes) {
		return errors.New("image: the registry hands out another module than was pushed")
	}
	return nil
}

func references(tags []name.Tag) (refs []name.Reference) {
	for _, t := range tags {
		refs = append(refs, t)
	}
	return refs
}

// moduleIn returns the module in the last layer of an image.
func moduleIn(i v1.Image) ([]byte, error) {
	layers, err := i.Layers()
	if err != nil || len(layers) == 0 {
		return nil, errors.Join(errors.New("no layers"), err)
	}
	content, err := layers[len(layers)-1].Uncompressed()
	if err != nil {
		return nil, err
	}
	defer content.Close()
	module, err := find(tar.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("no %s: %w", fileName, err)
	}
	// Only at the end of a layer is its digest compared.
	_, err = io.Copy(io.Discard, io.LimitReader(content, maxModule))
	return module, err
}

func find(archive *tar.Reader) ([]byte, error) {
	for {
		header, err := archive.Next()
		if err != nil {
			return nil, err
		}
		if path.Base(header.Name) == fileName {
			return io.ReadAll(io.LimitReader(archive, maxModule))
		}
	}
}
