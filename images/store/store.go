// Package store keeps images on disk as one OCI image layout (image-spec v1.1, image-layout.md) and their root file
// systems unpacked, once for each manifest digest. Everything goes by digest, and every byte is hashed on its way in and
// again on its way out. Many processes may use one store at once. It does not know where images come from.
package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/scangate/scangate/images"
	"github.com/scangate/scangate/pkg/strictjson"
)

// Store is a folder: oci-layout, index.json, blobs/sha256/HEX, and rootfs/HEX by the manifest's digest.
type Store struct{ root string }

// Open makes the folder where it is absent.
func Open(root string) (*Store, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("open image store: %w", err)
	}
	s := &Store{root: root}
	for _, dir := range []string{s.blobs(), s.rootfs()} {
		// Jobs run as another user: whether they may see the root file systems is up to the folders above.
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("open image store: %w", err)
		}
	}
	if err := s.version(); err != nil {
		return nil, fmt.Errorf("open image store: %w", err)
	}
	if err := s.sweep(time.Now().Add(-24 * time.Hour)); err != nil {
		return nil, fmt.Errorf("open image store: %w", err)
	}
	return s, nil
}

func (s *Store) version() error {
	file := filepath.Join(s.root, ocispec.ImageLayoutFile)
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return writeFile(file, []byte(`{"imageLayoutVersion":"`+ocispec.ImageLayoutVersion+`"}`))
	}
	if err != nil {
		return err
	}
	var layout ocispec.ImageLayout
	if err := strictjson.Decode(text, &layout); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if layout.Version != ocispec.ImageLayoutVersion {
		return fmt.Errorf("%s: layout version %q is not %q", file, layout.Version, ocispec.ImageLayoutVersion)
	}
	return nil
}

// sweep removes what killed processes left half written. No download lasts that long.
func (s *Store) sweep(before time.Time) error {
	left, err := filepath.Glob(filepath.Join(s.blobs(), tempPrefix+"*"))
	if err != nil {
		return err
	}
	for _, file := range left {
		info, err := os.Lstat(file)
		if errors.Is(err, fs.ErrNotExist) || err == nil && info.ModTime().After(before) {
			continue
		}
		if err := errors.Join(err, os.RemoveAll(file)); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) blobs() string  { return filepath.Join(s.root, "blobs", "sha256") }
func (s *Store) rootfs() string { return filepath.Join(s.root, "rootfs") }

// Put stores an image: layers, then config, then manifest, then its line in index.json. A blob that is there and whole
// stays; one that is there and broken is replaced. Nothing is kept under a digest it does not have.
func (s *Store) Put(ctx context.Context, image v1.Image) (images.Pin, error) {
	raw, err := image.RawManifest()
	if err != nil {
		return images.Pin{}, fmt.Errorf("store image: read manifest: %w", err)
	}
	digest := digestOf(raw)
	config, err := image.RawConfigFile()
	if err != nil {
		return images.Pin{}, fmt.Errorf("store image %s: read config: %w", digest, err)
	}
	in, err := parse(raw, config)
	if err != nil {
		return images.Pin{}, fmt.Errorf("store image %s: %w", digest, err)
	}
	for _, d := range in.layers {
		if err := s.putLayer(ctx, image, d); err != nil {
			return images.Pin{}, fmt.Errorf("store image %s: %w", digest, err)
		}
	}
	for _, text := range [][]byte{config, raw} {
		err := s.putBlob(ctx, digestOf(text), int64(len(text)), io.NopCloser(strings.NewReader(string(text))))
		if err != nil {
			return images.Pin{}, fmt.Errorf("store image %s: %w", digest, err)
		}
	}
	if err := s.list(ctx, in); err != nil {
		return images.Pin{}, fmt.Errorf("store image %s: %w", digest, err)
	}
	return in.pin, nil
}

func (s *Store) putLayer(ctx context.Context, image v1.Image, d descriptor) error {
	hash, err := v1.NewHash(d.Digest)
	if err != nil {
		return fmt.Errorf("layer %s: %w", d.Digest, err)
	}
	layer, err := image.LayerByDigest(hash)
	if err != nil {
		return fmt.Errorf("layer %s: %w", d.Digest, err)
	}
	if ok, err := s.whole(ctx, d); err != nil || ok {
		return err
	}
	content, err := layer.Compressed()
	if err != nil {
		return fmt.Errorf("layer %s: %w", d.Digest, err)
	}
	return s.putBlob(ctx, d.Digest, d.Size, content)
}

// list enters the image into index.json, which is sorted by digest.
func (s *Store) list(ctx context.Context, in contents) error {
	file := filepath.Join(s.root, ocispec.ImageIndexFile)
	unlock, err := lock(ctx, filepath.Join(s.root, ".index.lock"))
	if err != nil {
		return err
	}
	defer unlock()
	index := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}
	text, err := os.ReadFile(file)
	if err == nil {
		if err := strictjson.Decode(text, &index); err != nil {
			return fmt.Errorf("read %s: %w", file, err)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	at, found := slices.BinarySearchFunc(index.Manifests, in.pin.Manifest, func(d v1.Descriptor, digest string) int {
		return strings.Compare(d.Digest.String(), digest)
	})
	if found {
		return nil
	}
	index.Manifests = slices.Insert(index.Manifests, at, in.listed)
	text, err = json.Marshal(index)
	if err != nil {
		return err
	}
	return writeFile(file, text)
}

// Has says whether all blobs of the pin are there in their size; manifest and config are hashed, layers are not (see
// Verify). An absent blob is false; a wrong one is an error.
func (s *Store) Has(pin images.Pin) (bool, error) {
	in, err := s.open(pin)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for _, d := range in.layers {
		err := s.sized(d)
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("open image %s: %w", pin.Manifest, err)
		}
	}
	return true, nil
}

// Verify hashes every blob of the pin again. An absent one is an error here.
func (s *Store) Verify(ctx context.Context, pin images.Pin) error {
	in, err := s.open(pin)
	if err != nil {
		return err
	}
	for _, d := range in.layers {
		if err := s.hash(ctx, d); err != nil {
			return fmt.Errorf("verify image %s: %w", pin.Manifest, err)
		}
	}
	return nil
}

// open reads and checks the small blobs: manifest and config.
func (s *Store) open(pin images.Pin) (contents, error) {
	raw, err := s.small(pin.Manifest)
	if err != nil {
		return contents{}, fmt.Errorf("open image %s: manifest: %w", pin.Manifest, err)
	}
	config, err := s.small(pin.Config)
	if err != nil {
		return contents{}, fmt.Errorf("open image %s: config: %w", pin.Manifest, err)
	}
	in, err := parse(raw, config)
	if err != nil {
		return contents{}, fmt.Errorf("open image %s: %w", pin.Manifest, err)
	}
	return in, nil
}

// lock waits for the lock file; the kernel frees it when its holder dies.
func lock(ctx context.Context, file string) (unlock func(), err error) {
	l := flock.New(file)
	if _, err := l.TryLockContext(ctx, 20*time.Millisecond); err != nil {
		return nil, fmt.Errorf("lock %s: %w", file, err)
	}
	// Closing the descriptor frees the lock even where unlocking reports an error.
	return func() { _ = l.Close() }, nil
}
