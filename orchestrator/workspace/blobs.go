package workspace

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// blobs is a folder of contents by digest. Views are hard links to them, and the links of an inode share its mode, so an
// executable content has a file of its own.
type blobs struct {
	dir string
	mu  sync.Mutex
	has map[string]struct{} // base names
}

// content is what was read of one file.
type content struct {
	digest      string
	size        int64
	interpreter string
}

const prefix = "sha256:"

func blobName(digest string, executable bool) string {
	name := strings.TrimPrefix(digest, prefix)
	if executable {
		name += ".x"
	}
	return name
}

func blobMode(executable bool) os.FileMode {
	if executable {
		return 0o555
	}
	return 0o444
}

var errTooLarge = errors.New("too large")

// storeError is a fault of ours, not of the file that was read: it ends the snapshot.
type storeError struct{ err error }

func (e *storeError) Error() string { return "store content: " + e.err.Error() }
func (e *storeError) Unwrap() error { return e.err }

// bufferSize is up to where a content is hashed before anything is written: one that is there already costs no write.
const bufferSize = 128 << 10

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// take reads the open file fd to its end, once, and keeps what it read. A content over limit is errTooLarge.
func (b *blobs) take(fd int, executable bool, limit int64) (content, error) {
	buffer := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buffer)
	n := 0
	for n < len(buffer) {
		m, err := readRetry(fd, buffer[n:])
		if err != nil {
			return content{}, err
		}
		if m == 0 {
			break
		}
		n += m
	}
	if int64(n) > limit {
		return content{}, errTooLarge
	}
	c := content{interpreter: interpreter(buffer[:n])}
	if n < len(buffer) {
		sum := sha256.Sum256(buffer[:n])
		c.digest, c.size = digestOf(sum[:]), int64(n)
		return c, b.put(c.digest, executable, buffer[:n])
	}
	return b.stream(fd, executable, limit, buffer, c)
}

// put keeps text under its digest.
func (b *blobs) put(digest string, executable bool, text []byte) error {
	name := blobName(digest, executable)
	if !b.claim(name) {
		return nil
	}
	f, err := os.OpenFile(filepath.Join(b.dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return &storeError{err}
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Chmod(blobMode(executable)), f.Close()); err != nil {
		return &storeError{err}
	}
	return nil
}

// claim tells whether the caller is the one to write name. The file is whole when all takes have returned.
func (b *blobs) claim(name string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.has[name]; ok {
		return false
	}
	b.has[name] = struct{}{}
	return true
}

// stream goes on where the buffer is full: the content goes to a file that gets its name when the digest is known.
func (b *blobs) stream(fd int, executable bool, limit int64, buffer *[bufferSize]byte, c content) (content, error) {
	f, err := os.CreateTemp(b.dir, "part-")
	if err != nil {
		return content{}, &storeError{err}
	}
	defer f.Close()
	c, err = copyHashed(f, fd, limit, buffer, sha256.New(), c)
	if err != nil {
		return content{}, errors.Join(err, os.Remove(f.Name()))
	}
	name := blobName(c.digest, executable)
	if !b.claim(name) {
		err = os.Remove(f.Name())
	} else {
		err = errors.Join(f.Chmod(blobMode(executable)), os.Rename(f.Name(), filepath.Join(b.dir, name)))
	}
	if err != nil {
		return content{}, &storeError{err}
	}
	return c, nil
}

func copyHashed(to *os.File, fd int, limit int64, buffer *[bufferSize]byte, h hash.Hash, c content) (content, error) {
	for n := len(buffer); n > 0; {
		if c.size += int64(n); c.size > limit {
			return c, errTooLarge
		}
		h.Write(buffer[:n])
		if _, err := to.Write(buffer[:n]); err != nil {
			return c, &storeError{err}
		}
		var err error
		if n, err = readRetry(fd, buffer[:]); err != nil {
			return c, err
		}
	}
	c.digest = digestOf(h.Sum(nil))
	return c, nil
}

func digestOf(sum []byte) string { return prefix + hex.EncodeToString(sum) }

func readRetry(fd int, p []byte) (int, error) {
	for {
		n, err := unix.Read(fd, p)
		if err != unix.EINTR {
			return max(n, 0), err
		}
	}
}

// open opens a content, whichever its executable bit.
func (b *blobs) open(digest string) (*os.File, error) {
	for _, executable := range []bool{false, true} {
		name := blobName(digest, executable)
		if _, ok := b.has[name]; ok {
			return os.Open(filepath.Join(b.dir, name))
		}
	}
	return nil, fmt.Errorf("no content %s", digest)
}

// interpreter returns the base name of the program that a first line "#!" names, also by way of env, or "".
func interpreter(text []byte) string {
	line, ok := bytes.CutPrefix(text, []byte("#!"))
	if !ok {
		return ""
	}
	line, _, _ = bytes.Cut(line[:min(len(line), 1024)], []byte("\n"))
	words := strings.Fields(string(line))
	if len(words) == 0 {
		return ""
	}
	if path.Base(words[0]) != "env" {
		return path.Base(words[0])
	}
	for _, w := range words[1:] {
		if strings.HasPrefix(w, "-S") && len(w) > 2 { // env -Sbash
			return path.Base(w[2:])
		}
		if !strings.HasPrefix(w, "-") && !strings.Contains(w, "=") {
			return path.Base(w)
		}
	}
	return ""
}
