package store

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/scangate/scangate/images"
)

// unpacked is what the marker beside a complete root file system says. It changes when the extractor does.
const unpacked = "scangate.rootfs/v1\n"

// Rootfs returns the image's root file system: a folder that is the same for every caller and that nobody writes to. It
// is unpacked on the first call ever; manifest, config, and each layer's digest and diffID are checked as it is. Of
// callers at the same time one unpacks and the others wait, in this process or another.
func (s *Store) Rootfs(ctx context.Context, pin images.Pin) (string, error) {
	name, err := hexOf(pin.Manifest)
	if err != nil {
		return "", fmt.Errorf("unpack image: %w", err)
	}
	dir := filepath.Join(s.rootfs(), name)
	if complete(dir) {
		return dir, nil
	}
	unlock, err := lock(ctx, filepath.Join(s.rootfs(), "."+name+".lock"))
	if err != nil {
		return "", fmt.Errorf("unpack image %s: %w", pin.Manifest, err)
	}
	defer unlock()
	if complete(dir) {
		return dir, nil
	}
	if err := s.unpack(ctx, pin, dir); err != nil {
		return "", fmt.Errorf("unpack image %s: %w", pin.Manifest, err)
	}
	return dir, nil
}

func marker(dir string) string { return dir + ".complete" }

// complete trusts the marker alone: it is written last, so any other state is unpacked anew.
func complete(dir string) bool {
	text, err := os.ReadFile(marker(dir))
	if err != nil || string(text) != unpacked {
		return false
	}
	info, err := os.Lstat(dir)
	return err == nil && info.IsDir()
}

// unpack is called with the lock held: whatever else is there of this image is a dead process's.
func (s *Store) unpack(ctx context.Context, pin images.Pin, dir string) error {
	in, err := s.open(pin)
	if err != nil {
		return err
	}
	stale, err := filepath.Glob(filepath.Join(s.rootfs(), "."+filepath.Base(dir)+".tmp-*"))
	if err != nil {
		return err
	}
	for _, old := range append(stale, marker(dir), dir) {
		if err := os.RemoveAll(old); err != nil {
			return err
		}
	}
	temp, err := os.MkdirTemp(s.rootfs(), "."+filepath.Base(dir)+".tmp-")
	if err != nil {
		return err
	}
	if err := s.layers(ctx, in, temp, imageLimits); err != nil {
		return errors.Join(err, os.RemoveAll(temp))
	}
	// Without this a power cut could leave empty files behind a marker.
	if err := syncTree(temp); err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	if err := os.Rename(temp, dir); err != nil {
		return err
	}
	return writeFile(marker(dir), []byte(unpacked))
}

func (s *Store) layers(ctx context.Context, in contents, dir string, l limits) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	x := newExtractor(root, l)
	left := l.bytes
	for i, d := range in.layers {
		n, err := s.layer(ctx, x, d, in.diffIDs[i], left)
		if err != nil {
			return fmt.Errorf("layer %d (%s): %w", i+1, d.Digest, err)
		}
		left -= n
	}
	return x.finish()
}

// layer unpacks one layer and returns its size decompressed. Only at the end of both streams are digest and diffID
// known, so nothing of an image is used before the last of its layers.
func (s *Store) layer(ctx context.Context, x *extractor, d descriptor, diffID string, left int64) (int64, error) {
	blob, err := s.blob(ctx, d)
	if err != nil {
		return 0, err
	}
	defer blob.Close()
	n, err := x.unzip(ctx, blob, d, diffID, left)
	// gzip has read to the end too; a plain tar is the blob itself. After an error, this tells a damaged blob, whose
	// first symptom may be anything, from one that was built so.
	if _, damage := io.Copy(io.Discard, blob); damage != nil {
		return 0, damage
	}
	return n, err
}

func (x *extractor) unzip(ctx context.Context, blob io.Reader, d descriptor, diffID string, left int64) (int64, error) {
	if d.MediaType == ocispec.MediaTypeImageLayerGzip {
		zipped, err := gzip.NewReader(blob)
		if err != nil {
			return 0, fmt.Errorf("decompress: %w", err)
		}
		blob = zipped
	}
	limit := &capped{r: blob, left: left, ratio: max(freeBytes, d.Size*x.limits.ratio)}
	tar := check(ctx, limit, diffID, -1)
	err := x.apply(tar)
	return tar.n, err
}

// capped ends a decompression bomb.
type capped struct {
	r           io.Reader
	n           int64
	left, ratio int64
}

func (c *capped) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	if c.n > c.left {
		return 0, fmt.Errorf("the image unpacks to more than its limit: %d bytes left for this layer", c.left)
	}
	if c.n > c.ratio {
		return 0, fmt.Errorf("decompresses to more than %d bytes, out of proportion to its size", c.ratio)
	}
	return n, err
}
