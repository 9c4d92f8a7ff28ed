package store

import (
	"context"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/scangate/scangate/images"
)

// Image returns the stored image, to be pushed or written elsewhere. Layers are checked while they are read: one that
// differs from its digest ends in an error, not in an end of file.
func (s *Store) Image(pin images.Pin) (v1.Image, error) {
	in, err := s.open(pin)
	if err != nil {
		return nil, err
	}
	return partial.CompressedToImage(image{s, in})
}

type image struct {
	store *Store
	in    contents
}

func (i image) RawManifest() ([]byte, error)        { return i.in.raw, nil }
func (i image) RawConfigFile() ([]byte, error)      { return i.in.rawConf, nil }
func (i image) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }
func (i image) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	d, ok := i.in.layerByDigest[h.String()]
	if h.String() == i.in.config.Digest {
		d, ok = i.in.config, true // registries are sent the config as one more layer
	}
	if !ok {
		return nil, fmt.Errorf("image %s has no layer %s", i.in.pin.Manifest, h)
	}
	return layer{i.store, d}, nil
}

type layer struct {
	store *Store
	d     descriptor
}

func (l layer) Digest() (v1.Hash, error)            { return v1.NewHash(l.d.Digest) }
func (l layer) Size() (int64, error)                { return l.d.Size, nil }
func (l layer) MediaType() (types.MediaType, error) { return types.MediaType(l.d.MediaType), nil }
func (l layer) Compressed() (io.ReadCloser, error) {
	return l.store.blob(context.Background(), l.d)
}
