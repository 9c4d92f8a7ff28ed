// Package cache keeps results by the digest of everything that can change them. It does not know what a result is. An
// entry carries a MAC under a key that only this user can read, so whoever can write into the folder but not read the
// key can lose an entry, never make one. Any doubt is a miss.
package cache

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

const keyName = "key"

// Cache is a folder of entries. It may be used by many goroutines and processes at once.
type Cache struct {
	dir string
	key []byte
}

// Open makes the folder and its MAC key where they are absent. A key that others can read, or of the wrong length, is
// an error and not replaced: somebody should know.
func Open(dir string) (*Cache, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open cache: %w", err)
	}
	key, err := readKey(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeKey(dir); err != nil {
			return nil, fmt.Errorf("open cache: make key: %w", err)
		}
		key, err = readKey(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("open cache: read key: %w", err)
	}
	return &Cache{dir: dir, key: key}, nil
}

// Get returns what Put stored under key. An entry that is not exactly what Put wrote is removed.
func (c *Cache) Get(key string) ([]byte, bool) {
	file := c.file(key)
	entry, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false
	}
	if err != nil || len(entry) < sha256.Size || !hmac.Equal(entry[:sha256.Size], c.mac(key, entry[sha256.Size:])) {
		// A Remove that fails leaves an entry that will be a miss again.
		_ = os.RemoveAll(file)
		return nil, false
	}
	return entry[sha256.Size:], true
}

// Put stores value under key, whole or not at all.
func (c *Cache) Put(key string, value []byte) error {
	if err := replace(c.dir, c.file(key), append(c.mac(key, value), value...), os.Rename); err != nil {
		return fmt.Errorf("write cache entry: %w", err)
	}
	return nil
}

func (c *Cache) file(key string) string {
	sum := sha256.Sum256([]byte(key))
	return filepath.Join(c.dir, hex.EncodeToString(sum[:]))
}

// mac covers the key too, behind its length, so an entry under another's name is a miss.
func (c *Cache) mac(key string, value []byte) []byte {
	h := hmac.New(sha256.New, c.key)
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(key)))
	h.Write(n[:])
	h.Write([]byte(key))
	h.Write(value)
	return h.Sum(nil)
}

func readKey(dir string) ([]byte, error) {
	file := filepath.Join(dir, keyName)
	info, err := os.Lstat(file)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", file)
	}
	// Windows has no such modes: every file shows as 0666.
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s has mode %04o: want 0600", file, info.Mode().Perm())
	}
	key, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if len(key) != sha256.Size {
		return nil, fmt.Errorf("%s has %d bytes: want %d", file, len(key), sha256.Size)
	}
	return key, nil
}

// makeKey links the key into place: of two processes that make one, the first wins and the other reads it.
func makeKey(dir string) error {
	key := make([]byte, sha256.Size)
	if _, err := rand.Read(key); err != nil {
		return err
	}
	err := replace(dir, filepath.Join(dir, keyName), key, os.Link)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// replace writes a temporary file (mode 0600) and has place bring it under its name.
func replace(dir, file string, content []byte, place func(from, to string) error) error {
	f, err := os.CreateTemp(dir, ".tmp-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails after a rename, which is fine
	_, err = f.Write(content)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return place(f.Name(), file)
}
