package store

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/scangate/scangate/images"
)

// Archive writes the image in the form "docker load" takes: manifest.json, the config, and the layers as they are
// stored, which Docker 20.10 and later decompress and hold against the config's diffIDs. There is no tag: the image is
// known by its ID, and that is pin.Config in the classic store. Layers are checked while they are written; after an
// error what was written is no archive.
func (s *Store) Archive(ctx context.Context, pin images.Pin, w io.Writer) error {
	in, err := s.open(pin)
	if err != nil {
		return err
	}
	if err := s.archive(ctx, in, w); err != nil {
		return fmt.Errorf("archive image %s: %w", pin.Manifest, err)
	}
	return nil
}

// saved is one element of manifest.json.
type saved struct {
	Config   string
	RepoTags []string
	Layers   []string
}

func (s *Store) archive(ctx context.Context, in contents, w io.Writer) error {
	t := tar.NewWriter(w)
	m := saved{Config: strings.TrimPrefix(in.config.Digest, "sha256:") + ".json", Layers: []string{}}
	written := map[string]bool{}
	for _, d := range in.layers {
		name := path.Join(strings.TrimPrefix(d.Digest, "sha256:"), "layer.tar")
		m.Layers = append(m.Layers, name)
		if written[name] {
			continue
		}
		written[name] = true
		blob, err := s.blob(ctx, d)
		if err != nil {
			return err
		}
		err = add(t, name, d.Size, blob)
		blob.Close()
		if err != nil {
			return err
		}
	}
	if err := add(t, m.Config, int64(len(in.rawConf)), bytes.NewReader(in.rawConf)); err != nil {
		return err
	}
	text, err := json.Marshal([]saved{m})
	if err != nil {
		return err
	}
	if err := add(t, "manifest.json", int64(len(text)), bytes.NewReader(text)); err != nil {
		return err
	}
	return t.Close()
}

func add(t *tar.Writer, name string, size int64, content io.Reader) error {
	if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: size}); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if _, err := io.Copy(t, content); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
