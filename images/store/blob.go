package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func mismatch(want, got string) error {
	return fmt.Errorf("digest mismatch: want %s, got %s", want, got)
}

// hexOf is the file name for a digest; nothing else ever gets into a path.
func hexOf(digest string) (string, error) {
	if !digestForm.MatchString(digest) {
		return "", fmt.Errorf("digest %q is not sha256: and 64 hex digits", digest)
	}
	return strings.TrimPrefix(digest, "sha256:"), nil
}

// checked passes on what it reads, and in place of the end reports an error where digest or size differ.
type checked struct {
	ctx  context.Context
	r    io.Reader
	hash hash.Hash
	want string
	size int64 // -1: not known
	n    int64
}

func check(ctx context.Context, r io.Reader, digest string, size int64) *checked {
	return &checked{ctx: ctx, r: r, hash: sha256.New(), want: digest, size: size}
}

func (c *checked) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.r.Read(p)
	c.hash.Write(p[:n])
	c.n += int64(n)
	if c.size >= 0 && c.n > c.size {
		return 0, fmt.Errorf("more than %d bytes", c.size)
	}
	if errors.Is(err, io.EOF) {
		if c.size >= 0 && c.n < c.size {
			return n, fmt.Errorf("%d bytes: want %d", c.n, c.size)
		}
		if got := "sha256:" + hex.EncodeToString(c.hash.Sum(nil)); got != c.want {
			return n, mismatch(c.want, got)
		}
	}
	return n, err
}

// blob opens a blob for reading. What is read from it is checked up to its end; who stops earlier has nothing.
func (s *Store) blob(ctx context.Context, d descriptor) (io.ReadCloser, error) {
	name, err := hexOf(d.Digest)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(filepath.Join(s.blobs(), name))
	if err != nil {
		return nil, err
	}
	return readCloser{check(ctx, f, d.Digest, d.Size), f}, nil
}

type readCloser struct {
	io.Reader
	io.Closer
}

// small reads a manifest or config, hashed.
func (s *Store) small(digest string) ([]byte, error) {
	r, err := s.blob(context.Background(), descriptor{Digest: digest, Size: -1})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, maxSmall+1))
	if err != nil {
		return nil, fmt.Errorf("blob %s: %w", digest, err)
	}
	if len(text) > maxSmall {
		return nil, fmt.Errorf("blob %s: more than %d bytes", digest, maxSmall)
	}
	return text, nil
}

// sized is an error unless the blob is a file of its size.
func (s *Store) sized(d descriptor) error {
	name, err := hexOf(d.Digest)
	if err != nil {
		return err
	}
	info, err := os.Lstat(filepath.Join(s.blobs(), name))
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("blob %s: not a regular file", d.Digest)
	}
	if info.Size() != d.Size {
		return fmt.Errorf("blob %s: %d bytes: want %d", d.Digest, info.Size(), d.Size)
	}
	return nil
}

// hash is an error unless the blob is there with its digest and size.
func (s *Store) hash(ctx context.Context, d descriptor) error {
	r, err := s.blob(ctx, d)
	if err != nil {
		return err
	}
	defer r.Close()
	if _, err := io.Copy(io.Discard, r); err != nil {
		return fmt.Errorf("blob %s: %w", d.Digest, err)
	}
	return nil
}

// whole says whether the blob need not be written. Only the end of ctx is an error.
func (s *Store) whole(ctx context.Context, d descriptor) (bool, error) {
	if s.hash(ctx, d) == nil {
		return true, nil
	}
	return false, ctx.Err()
}

// putBlob writes a blob and closes content. It is seen under its name whole or not at all.
func (s *Store) putBlob(ctx context.Context, digest string, size int64, content io.ReadCloser) error {
	defer content.Close()
	d := descriptor{Digest: digest, Size: size}
	name, err := hexOf(digest)
	if err != nil {
		return err
	}
	if ok, err := s.whole(ctx, d); err != nil || ok {
		return err
	}
	if err := replace(filepath.Join(s.blobs(), name), check(ctx, content, digest, size)); err != nil {
		return fmt.Errorf("blob %s: %w", digest, err)
	}
	return nil
}

const tempPrefix = ".tmp-"

func writeFile(file string, text []byte) error {
	if err := replace(file, bytes.NewReader(text)); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	return nil
}

// replace writes beside file, syncs and renames, so that after a crash there is the old file or the new one.
func replace(file string, content io.Reader) error {
	dir := filepath.Dir(file)
	f, err := os.CreateTemp(dir, tempPrefix)
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails after the rename, which is fine
	_, err = io.Copy(f, content)
	if err == nil {
		err = errors.Join(f.Chmod(0o644), f.Sync())
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), file); err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir makes names in dir last. Not every file system and system can; where it cannot, that says so by EINVAL or
// ErrPermission, and the rename is as lasting as it gets.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, fs.ErrInvalid) && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return nil
}
