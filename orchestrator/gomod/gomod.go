// Package gomod gives Go scanners the modules that go.sum names, as read-only data. Modules come from the host's module
// cache, are held against go.sum's hashes, and are kept in a store that is itself a module cache (its layout is that of
// "go help modules": GOMODCACHE). The store holds every module any workspace ever named, each verified when it came in;
// a go command with -mod=readonly uses of it only what go.sum names. Nothing is run and nothing is fetched.
package gomod

import (
	"bytes"
	"context"
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
	"golang.org/x/mod/sumdb/dirhash"
	"golang.org/x/mod/zip"
)

// Data is what a job is given.
type Data struct {
	Dir    string // the store: GOMODCACHE, for a read-only mount
	Digest string // "sha256:…" of go.sum's sorted lines: the same on every machine
}

// MismatchError means: the host's module cache, or an earlier go.sum, has other content for this module than go.sum
// says. Want and Got are "h1:…" (golang.org/x/mod/sumdb/dirhash).
type MismatchError struct {
	Module    string // path@version, with "/go.mod" where only that file differs
	Want, Got string
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("module %s: hash mismatch: want %s, got %s", e.Module, e.Want, e.Got)
}

// Collect brings the modules that sums (go.sum files, one after another) name into store and returns it. What the host's
// cache does not have is in missing, sorted, as "path@version" or "path@version/go.mod": the go command may not need it.
// Many processes may collect into one store at once.
func Collect(ctx context.Context, sums []byte, hostModCache, store string) (data Data, missing []string, err error) {
	lines, digest, err := parse(sums)
	if err != nil {
		return Data{}, nil, fmt.Errorf("collect Go modules: %w", err)
	}
	if err := makeDirs(store); err != nil {
		return Data{}, nil, fmt.Errorf("collect Go modules: %w", err)
	}
	c := collector{host: hostModCache, store: store}
	defer func() { err = errors.Join(err, c.unlock()) }()
	for _, l := range lines {
		if err := ctx.Err(); err != nil {
			return Data{}, nil, err
		}
		collect := c.zip
		if l.mod {
			collect = c.mod
		}
		err := collect(ctx, l)
		if errors.Is(err, errMissing) {
			missing = append(missing, l.String())
			continue
		}
		if err != nil {
			return Data{}, nil, fmt.Errorf("collect Go modules: %w", err)
		}
	}
	slices.Sort(missing)
	return Data{Dir: store, Digest: digest}, missing, nil
}

var errMissing = errors.New("not in the host's module cache")

// collector copies from host to store. It takes the store's lock at the first thing it has to write.
type collector struct {
	host, store string
	lock        *flock.Flock
}

// mod brings PATH/@v/VERSION.mod. It is small: what the store has is hashed again each time.
func (c *collector) mod(ctx context.Context, l line) error {
	name := filepath.Join("cache", "download", l.escPath, "@v", l.escVersion+".mod")
	text, err := os.ReadFile(filepath.Join(c.store, name))
	if err == nil {
		return l.compare(text)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	text, err = os.ReadFile(filepath.Join(c.host, name))
	if errors.Is(err, fs.ErrNotExist) {
		return errMissing
	}
	if err != nil {
		return err
	}
	if err := l.compare(text); err != nil {
		return err
	}
	if err := c.hold(ctx); err != nil {
		return err
	}
	// The host's .info has a time and an origin, which go.sum does not vouch for. The go command needs the version.
	info := `{"Version":"` + l.Version.Version + `"}`
	if err := c.write(strings.TrimSuffix(name, ".mod")+".info", []byte(info)); err != nil {
		return err
	}
	return c.write(name, text)
}

func (l line) compare(goMod []byte) error {
	got, err := dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(goMod)), nil
	})
	if err != nil {
		return err
	}
	if got != l.hash {
		return &MismatchError{Module: l.String(), Want: l.hash, Got: got}
	}
	return nil
}

// zip brings the module's folder PATH@VERSION. Its marker is PATH/@v/VERSION.ziphash, which the go command looks for
// too and compares with go.sum, so it is written last.
func (c *collector) zip(ctx context.Context, l line) error {
	versions := filepath.Join("cache", "download", l.escPath, "@v")
	marker := filepath.Join(versions, l.escVersion+".ziphash")
	if done, err := c.has(l, marker); done || err != nil {
		return err
	}
	archive := filepath.Join(c.host, versions, l.escVersion+".zip")
	if _, err := os.Stat(archive); errors.Is(err, fs.ErrNotExist) {
		return errMissing
	}
	if err := c.hold(ctx); err != nil {
		return err
	}
	if done, err := c.has(l, marker); done || err != nil {
		return err
	}
	temp, err := os.MkdirTemp(c.store, tempPrefix)
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp) // empty but for an error
	unzipped := filepath.Join(temp, "m")
	if err := zip.Unzip(unzipped, l.Version, archive); err != nil {
		return fmt.Errorf("module %s: %w", l, err)
	}
	// The hash of the folder is that of its zip: so what is checked is what was written.
	got, err := dirhash.HashDir(unzipped, l.Version.String(), dirhash.Hash1)
	if err != nil {
		return fmt.Errorf("module %s: %w", l, err)
	}
	if got != l.hash {
		return &MismatchError{Module: l.String(), Want: l.hash, Got: got}
	}
	if err := readable(unzipped); err != nil {
		return err
	}
	final := filepath.Join(c.store, l.escPath+"@"+l.escVersion)
	if err := os.RemoveAll(final); err != nil { // of a process that died before the marker
		return err
	}
	if err := makeDirs(filepath.Dir(final)); err != nil {
		return err
	}
	if err := os.Rename(unzipped, final); err != nil {
		return err
	}
	return c.write(marker, []byte(l.hash))
}

// has says whether the store has the module whole, with that hash.
func (c *collector) has(l line, marker string) (bool, error) {
	got, err := os.ReadFile(filepath.Join(c.store, marker))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if string(got) != l.hash {
		return false, &MismatchError{Module: l.String(), Want: l.hash, Got: string(got)}
	}
	return true, nil
}

const tempPrefix = ".tmp-"

// hold takes the store's lock, once. With it held, any temporary folder is a dead process's.
func (c *collector) hold(ctx context.Context) error {
	if c.lock != nil {
		return nil
	}
	lock := flock.New(filepath.Join(c.store, ".scangate.lock"))
	if _, err := lock.TryLockContext(ctx, 20*time.Millisecond); err != nil {
		return fmt.Errorf("lock %s: %w", lock.Path(), err)
	}
	c.lock = lock
	stale, err := filepath.Glob(filepath.Join(c.store, tempPrefix+"*"))
	if err != nil {
		return err
	}
	for _, old := range stale {
		if err := os.RemoveAll(old); err != nil {
			return err
		}
	}
	return nil
}

func (c *collector) unlock() error {
	if c.lock == nil {
		return nil
	}
	return c.lock.Close()
}

// write brings a file under its name, whole or not at all.
func (c *collector) write(name string, text []byte) error {
	file := filepath.Join(c.store, name)
	if err := makeDirs(filepath.Dir(file)); err != nil {
		return err
	}
	f, err := os.CreateTemp(c.store, tempPrefix)
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails after the rename, which is fine
	_, err = f.Write(text)
	if err := errors.Join(err, f.Chmod(0o444), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), file)
}

// makeDirs makes folders that a job's user may read, whatever our umask.
func makeDirs(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := makeDirs(filepath.Dir(dir)); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); errors.Is(err, fs.ErrExist) {
		return nil
	} else if err != nil {
		return err
	}
	return os.Chmod(dir, 0o755)
}

func readable(dir string) error {
	return filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			return os.Chmod(name, 0o755)
		}
		return os.Chmod(name, 0o444)
	})
}
