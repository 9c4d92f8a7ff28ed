package assemble

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Options say for which platform and where.
type Options struct {
	Platform string // "linux/amd64"
	// Cache is a folder that may be kept and shared: what was fetched, by hash, and Go's own module and build caches.
	// With everything in it, a build needs no network.
	Cache string
	// Scratch is an existing folder of this build alone. The image reads its layer from there: remove it after the
	// image was stored.
	Scratch string
	Log     func(string) // one line for people; may be nil
}

// Build makes the recipe's image: an OCI manifest, a config with nothing but the platform, the epoch and labels, and
// one uncompressed layer, so that no compressor has a say in the digest.
func Build(ctx context.Context, r Recipe, o Options) (v1.Image, error) {
	img, err := build(ctx, r, o)
	if err != nil {
		return nil, fmt.Errorf("build image %s: %w", r.Name, err)
	}
	return img, nil
}

func build(ctx context.Context, r Recipe, o Options) (v1.Image, error) {
	arch, err := architecture(o.Platform)
	if err != nil {
		return nil, err
	}
	steps, ok := r.Platforms[o.Platform]
	if !ok {
		return nil, fmt.Errorf("the recipe has no steps for %s", o.Platform)
	}
	if o.Log == nil {
		o.Log = func(string) {}
	}
	b := builder{Options: o, recipe: r, arch: arch, store: fetchStore{filepath.Join(o.Cache, "sha256")}}
	if err := b.fetch(ctx, steps); err != nil {
		return nil, err
	}
	b.tree, err = newTree(filepath.Join(o.Scratch, "tree"))
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(b.tree.dir)
	for _, s := range steps {
		if err := b.lay(ctx, s); err != nil {
			return nil, err
		}
	}
	file := filepath.Join(o.Scratch, "layer.tar")
	digest, size, err := b.tree.writeLayer(file)
	if err != nil {
		return nil, err
	}
	return assembleImage(r, arch, layer{file: file, digest: v1.Hash{Algorithm: "sha256", Hex: digest}, size: size})
}

// builder is one build under way.
type builder struct {
	Options
	recipe Recipe
	arch   string
	store  fetchStore
	tree   *tree
}

func (b *builder) lay(ctx context.Context, s Step) error {
	switch {
	case s.Wheel != nil:
		return b.layWheel(*s.Wheel)
	case s.Go != nil:
		return b.layGo(ctx, *s.Go)
	case s.Deb != nil:
		return b.layDeb(ctx, *s.Deb)
	case s.Toolchain != nil:
		return b.layToolchain(ctx, *s.Toolchain)
	case s.Bytecode != nil:
		return b.layBytecode(ctx, *s.Bytecode)
	}
	for name, text := range s.Files {
		if err := b.tree.file(name, false, strings.NewReader(text)); err != nil {
			return err
		}
	}
	return nil
}

func assembleImage(r Recipe, arch string, l layer) (v1.Image, error) {
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	img, err := mutate.AppendLayers(img, l)
	if err != nil {
		return nil, fmt.Errorf("append layer: %w", err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("read config: %w", err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", arch
	config.Created = v1.Time{Time: epoch}
	config.History = nil
	config.Config.Labels = map[string]string{
		"org.opencontainers.image.title":    r.Name,
		"org.opencontainers.image.version":  r.Version,
		"org.opencontainers.image.licenses": r.Licence,
	}
	if img, err = mutate.ConfigFile(img, config); err != nil {
		return nil, fmt.Errorf("set config: %w", err)
	}
	return img, nil
}

// layer is an uncompressed tar on disk: its digest and diff ID are one.
type layer struct {
	file   string
	digest v1.Hash
	size   int64
}

func (l layer) Digest() (v1.Hash, error)             { return l.digest, nil }
func (l layer) DiffID() (v1.Hash, error)             { return l.digest, nil }
func (l layer) Compressed() (io.ReadCloser, error)   { return os.Open(l.file) }
func (l layer) Uncompressed() (io.ReadCloser, error) { return os.Open(l.file) }
func (l layer) Size() (int64, error)                 { return l.size, nil }
func (l layer) MediaType() (types.MediaType, error)  { return types.OCIUncompressedLayer, nil }
