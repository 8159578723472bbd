package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/spf13/cobra"

	"github.com/postern-auth/postern/internal/image"
	"github.com/postern-auth/postern/internal/release"
)

// pushing is what push was asked.
type pushing struct {
	module, sbom, platform, revision, version string
	user, output                              string
	tags                                      []string
	docker, insecure, noSBOM, passwordStdin   bool
	timeout                                   time.Duration
}

func newPush() *cobra.Command {
	var k pushing
	cmd := &cobra.Command{
		Use:   "push REF",
		Short: "Bring postern.wasm to a registry, as an image",
		Long: `Push makes an OCI image of the module and brings it to a registry, as Istio, Envoy
Gateway and other hosts of WebAssembly take it: one manifest, one layer with
plugin.wasm in it. It then fetches it from there, compares, and prints the two
hashes that are wanted elsewhere: the digest of the image, and the SHA-256 of the
module.

REF is where it goes:

  registry.example.com/postern:0.8.0     a registry; the tag must be given
  oci:build/image                        a folder, as an OCI image layout
  oci-archive:build/image.tar            the same as a tar file

oci: and oci-archive: take a tag at the end as well, as oci:build/image:0.8.0;
without it the tag is the version.

The same module gives the same image, bit for bit: no time is in it but that in
SOURCE_DATE_EPOCH, or 1970. The list of what the module is made of goes along, as
a manifest that refers to the image: from the file beside the module whose name
ends in .cdx.json, which make image writes; --sbom names another.

Credentials are those of docker login (config.json, with its helpers), or those of
--username with the password on standard input. Nothing goes over plain HTTP, but
to a registry on this machine with --insecure-http.

It exits with 0 if the image is where it was to go; with 1 if the file is no module
of Postern's, or the registry did not take it; and with 2 if a file cannot be read
or written, or it was called wrongly.`,
		Example: `  postern push registry.example.com/postern:0.8.0
  postern push registry.example.com/postern --tag 0.8.0 --tag 0.8
  postern push localhost:5000/postern:dev --insecure-http
  postern push oci:build/image`,
		Args:              usageArgs(cobra.ExactArgs(1)),
		ValidArgsFunction: cobra.FixedCompletions([]string{"oci:", "oci-archive:"}, cobra.ShellCompDirectiveNoSpace),
		RunE:              func(cmd *cobra.Command, args []string) error { return k.run(cmd, args[0]) },
	}
	flags := cmd.Flags()
	flags.StringVar(&k.module, "module", "build/postern.wasm", "the module")
	flags.StringArrayVar(&k.tags, "tag", nil, "a further tag in the same repository; may be given again")
	flags.StringVar(&k.sbom, "sbom", "", "the list of what the module is made of, in CycloneDX's JSON")
	flags.BoolVar(&k.noSBOM, "no-sbom", false, "leave that list out")
	flags.StringVar(&k.version, "version", "", "the version that the image says it is; this command's without it")
	flags.StringVar(&k.revision, "revision", "", "the revision of the source that it says it is of; this command's without it")
	flags.StringVar(&k.platform, "platform", "wasip1/wasm", "the platform that it says it is for, or none")
	flags.BoolVar(&k.docker, "docker", false, "make Docker's manifest, for a registry that takes no OCI manifests")
	flags.StringVar(&k.user, "username", "", "the user at the registry")
	flags.BoolVar(&k.passwordStdin, "password-stdin", false, "read that user's password from standard input")
	flags.BoolVar(&k.insecure, "insecure-http", false, "speak plain HTTP to a registry on this machine")
	flags.DurationVar(&k.timeout, "timeout", 5*time.Minute, "how long all of it may take")
	outputFlag(cmd, &k.output)
	_ = cmd.MarkFlagFilename("module", "wasm")
	_ = cmd.MarkFlagFilename("sbom", "json")
	cmd.MarkFlagsMutuallyExclusive("sbom", "no-sbom")
	_ = cmd.RegisterFlagCompletionFunc("platform", cobra.FixedCompletions([]string{"wasip1/wasm", "linux/amd64", "linux/arm64", "none"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// pushed is what was brought where.
type pushed struct {
	Ref      string   `json:"ref"`
	Tags     []string `json:"tags,omitempty"`
	Digest   string   `json:"digest"`
	Pinned   string   `json:"pinned,omitempty"` // the reference with which nothing else is fetched
	Module   string   `json:"module_sha256"`
	SBOM     string   `json:"sbom_digest,omitempty"`
	Version  string   `json:"version"`
	Revision string   `json:"revision,omitempty"`
}

func (k *pushing) run(cmd *cobra.Command, ref string) error {
	if err := checkOutput(k.output); err != nil {
		return err
	}
	k.version = cmp.Or(k.version, release.Version)
	k.revision = cmp.Or(k.revision, revision())
	i, err := k.image()
	if err != nil {
		return err
	}
	done := pushed{Ref: ref, Tags: k.tags, Digest: i.Digest(), Module: i.Module.SHA256(), SBOM: i.SBOMDigest(), Version: k.version, Revision: k.revision}
	switch kind, rest, _ := strings.Cut(ref, ":"); kind {
	case "oci", "oci-archive":
		err = k.write(i, kind, rest)
	default:
		done.Pinned, err = k.push(cmd, i, ref)
	}
	if err != nil {
		return err
	}
	if k.output == "json" {
		return writeJSON(cmd, done)
	}
	writePushed(newPaper(cmd.OutOrStdout()), &done)
	return nil
}

// image makes the image.
func (k *pushing) image() (*image.Image, error) {
	m, err := image.ReadModule(k.module)
	if err != nil {
		return nil, unreadable(err)
	}
	o := image.Options{Docker: k.docker, Version: k.version, Revision: k.revision}
	if o.Platform, err = platform(k.platform); err != nil {
		return nil, usageError{err}
	}
	if o.Created, err = sourceDate(); err != nil {
		return nil, usageError{err}
	}
	if o.SBOM, err = k.readSBOM(); err != nil {
		return nil, usageError{err}
	}
	return image.New(m, o)
}

// unreadable is an error of reading a module, which is one of usage where there is
// no such file to read.
func unreadable(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return usageError{fmt.Errorf("%w; `make build` makes build/postern.wasm", err)}
	}
	return err
}

func (k *pushing) readSBOM() ([]byte, error) {
	switch {
	case k.noSBOM:
		return nil, nil
	case k.sbom != "":
		return readFile(k.sbom, "the SBOM")
	}
	text, err := readFile(strings.TrimSuffix(k.module, ".wasm")+".cdx.json", "the SBOM")
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return text, err
}

// platform reads os/architecture[/variant], or none.
func platform(text string) (v1.Platform, error) {
	if text == "none" {
		return v1.Platform{}, nil
	}
	p, err := v1.ParsePlatform(text)
	if err != nil || p.OS == "" || p.Architecture == "" {
		return v1.Platform{}, fmt.Errorf("--platform %q is not a platform such as linux/amd64, and not none", text)
	}
	return *p, nil
}

// sourceDate is the time that the image bears: https://reproducible-builds.org/specs/source-date-epoch/.
func sourceDate() (time.Time, error) {
	text := os.Getenv("SOURCE_DATE_EPOCH")
	if text == "" {
		return time.Unix(0, 0), nil
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seconds < 0 {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH %q is not a number of seconds", text)
	}
	return time.Unix(seconds, 0), nil
}

// write writes the image into a folder or a file.
func (k *pushing) write(i *image.Image, kind, rest string) error {
	where, tag, tagged := strings.Cut(rest, ":")
	if !tagged {
		tag = k.version
	}
	if where == "" || tag == "" || len(k.tags) > 0 {
		return usageError{fmt.Errorf("%s: wants a place and at most one tag, as %s:build/image:0.8.0", kind, kind)}
	}
	if kind == "oci" {
		if err := i.WriteLayout(where, tag); err != nil {
			return usageError{err}
		}
		return nil
	}
	f, err := os.Create(where)
	if err != nil {
		return usageError{err}
	}
	if err := errors.Join(i.WriteArchive(f, tag), f.Close()); err != nil {
		return usageError{err}
	}
	return nil
}

// push brings the image to a registry, and returns the reference that names it
// for good.
func (k *pushing) push(cmd *cobra.Command, i *image.Image, ref string) (string, error) {
	target, err := image.ParseTarget(ref, k.tags, k.insecure)
	if err != nil {
		return "", usageError{err}
	}
	access := image.Access{User: k.user, Agent: "postern/" + release.Version, Timeout: k.timeout}
	if k.passwordStdin != (k.user != "") {
		return "", usageError{errors.New("--username and --password-stdin go together")}
	}
	if k.passwordStdin {
		if access.Password, err = readPassword(cmd.InOrStdin()); err != nil {
			return "", usageError{err}
		}
	}
	if err := i.Push(cmd.Context(), target, access); err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("%w; --timeout gives it more than %s", err, k.timeout)
		}
		return "", err
	}
	return target.Repository() + "@" + i.Digest(), nil
}

func readPassword(in io.Reader) (string, error) {
	text, err := readAll(in, "the password")
	password := strings.TrimRight(string(text), "\r\n")
	if err == nil && password == "" {
		err = errors.New("there is no password on standard input")
	}
	return password, err
}

func writePushed(p *paper, done *pushed) {
	p.line("%s %s", p.in(green, "pushed"), done.Ref)
	for _, tag := range done.Tags {
		p.line("  and as %s", tag)
	}
	p.heading("The image's digest")
	p.line("  %s", done.Digest)
	p.line("  %s", p.in(faint, "for oci:// in a WasmPlugin, and an image in an EnvoyExtensionPolicy; their sha256 wants it without \"sha256:\""))
	if done.Pinned != "" {
		p.line("  %s", p.in(faint, "pinned: oci://"+done.Pinned))
	}
	p.heading("The module's SHA-256")
	p.line("  %s", done.Module)
	p.line("  %s", p.in(faint, "for sha256 where the file itself is fetched, by https://"))
	if done.SBOM != "" {
		p.heading("What it is made of")
		p.line("  %s", done.SBOM)
		p.line("  %s", p.in(faint, "refers to the image, at no tag: oras discover shows it"))
	}
}
