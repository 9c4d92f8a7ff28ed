package store

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"path/filepath"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// raw is an image given by its bytes, which need not agree with each other.
type raw struct {
	manifest, config []byte
	blobs            map[string][]byte
}

func (r raw) RawManifest() ([]byte, error)        { return r.manifest, nil }
func (r raw) RawConfigFile() ([]byte, error)      { return r.config, nil }
func (r raw) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }
func (r raw) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	return rawLayer{h, r.blobs[h.String()]}, nil
}

type rawLayer struct {
	digest v1.Hash
	text   []byte
}

func (l rawLayer) Digest() (v1.Hash, error)            { return l.digest, nil }
func (l rawLayer) Size() (int64, error)                { return int64(len(l.text)), nil }
func (l rawLayer) MediaType() (types.MediaType, error) { return types.OCILayer, nil }
func (l rawLayer) Compressed() (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(l.text)), nil
}

func (r raw) image(t *testing.T) v1.Image {
	t.Helper()
	image, err := partial.CompressedToImage(r)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

type object = map[string]any

// build makes a raw image of gzipped tars. Edit may bend manifest and config before they are written.
func build(t *testing.T, tars [][]byte, edit func(manifest, config object)) raw {
	t.Helper()
	r := raw{blobs: map[string][]byte{}}
	layers, diffIDs := []any{}, []any{}
	for _, text := range tars {
		zipped := gz(t, text)
		r.blobs[digestOf(zipped)] = zipped
		layers = append(layers, object{"mediaType": string(types.OCILayer), "digest": digestOf(zipped), "size": len(zipped)})
		diffIDs = append(diffIDs, digestOf(text))
	}
	config := object{"os": "linux", "architecture": "amd64", "config": object{},
		"rootfs": object{"type": "layers", "diff_ids": diffIDs}}
	manifest := object{"schemaVersion": 2, "mediaType": string(types.OCIManifestSchema1), "layers": layers}
	if edit != nil {
		edit(manifest, config)
	}
	r.config = marshal(t, config)
	if manifest["config"] == nil {
		manifest["config"] = object{"mediaType": string(types.OCIConfigJSON), "digest": digestOf(r.config), "size": len(r.config)}
	}
	r.manifest = marshal(t, manifest)
	return r
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func gz(t *testing.T, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// tarOf writes a tar; the size of each entry is that of its text.
func tarOf(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := e.Header
		h.Size = int64(len(e.text))
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatalf("%q: %v", h.Name, err)
		}
		if _, err := io.WriteString(w, e.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

type entry struct {
	tar.Header
	text string
}

func reg(name, text string) entry { return entry{tar.Header{Name: name, Mode: 0o644}, text} }
func dir(name string) entry {
	return entry{tar.Header{Name: name, Typeflag: tar.TypeDir, Mode: 0o755}, ""}
}
func sym(name, to string) entry {
	return entry{tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: to}, ""}
}
func hard(name, to string) entry {
	return entry{tar.Header{Name: name, Typeflag: tar.TypeLink, Linkname: to}, ""}
}

func newStore(t *testing.T) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "images"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}
