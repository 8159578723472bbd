package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// fileName is the name under which hosts look for the module in a layer.
const fileName = "plugin.wasm"

// blob is what a manifest refers to.
type blob struct {
	bytes     []byte
	mediaType types.MediaType
	digest    v1.Hash
	content   v1.Hash // of what is in it, where that is compressed
}

func newBlob(b []byte, mediaType types.MediaType) *blob {
	digest := hashOf(b)
	return &blob{b, mediaType, digest, digest}
}

func hashOf(b []byte) v1.Hash {
	sum := sha256.Sum256(b)
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum[:])}
}

func (b *blob) descriptor() v1.Descriptor {
	return v1.Descriptor{MediaType: b.mediaType, Size: int64(len(b.bytes)), Digest: b.digest}
}

// Digest, and the others, are what go-containerregistry wants of a layer.
func (b *blob) Digest() (v1.Hash, error)            { return b.digest, nil }
func (b *blob) DiffID() (v1.Hash, error)            { return b.content, nil }
func (b *blob) Size() (int64, error)                { return int64(len(b.bytes)), nil }
func (b *blob) MediaType() (types.MediaType, error) { return b.mediaType, nil }
func (b *blob) Compressed() (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(b.bytes)), nil
}
func (b *blob) Uncompressed() (io.ReadCloser, error) { return gzip.NewReader(bytes.NewReader(b.bytes)) }

// newLayer packs the module as the one file of a layer. Nothing in it says when
// or by whom it was packed.
func newLayer(m *Module, mediaType types.MediaType) (*blob, error) {
	var packed bytes.Buffer
	content := sha256.New()
	zip, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	archive := tar.NewWriter(io.MultiWriter(zip, content))
	if err := archive.WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: fileName, Size: int64(len(m.Bytes)), Mode: 0o444, ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR,
	}); err != nil {
		return nil, err
	}
	if _, err := archive.Write(m.Bytes); err != nil {
		return nil, err
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	if err := zip.Close(); err != nil {
		return nil, err
	}
	layer := newBlob(packed.Bytes(), mediaType)
	layer.content = v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(content.Sum(nil))}
	return layer, nil
}
