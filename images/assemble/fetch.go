package assemble

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// HashError means: this is not the file that the recipe names. Want and Got are SHA-256 in hex.
type HashError struct {
	File, Want, Got string
}

func (e *HashError) Error() string {
	return fmt.Sprintf("%s: sha256 mismatch: want %s, got %s", e.File, e.Want, e.Got)
}

// fetchStore keeps fetched files under their SHA-256.
type fetchStore struct{ dir string }

func (s fetchStore) path(sum string) string { return filepath.Join(s.dir, sum) }

func (s fetchStore) has(sum string) (bool, error) {
	_, err := os.Stat(s.path(sum))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// open reads a kept file through once before it gives it away: what a disk or another program did to it is found out.
func (s fetchStore) open(name, sum string) (*os.File, error) {
	f, err := os.Open(s.path(sum))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	if err := checkSum(f, name, sum); err != nil {
		f.Close()
		return nil, fmt.Errorf("open fetched file (remove %s to fetch it again): %w", s.path(sum), err)
	}
	return f, nil
}

// keep moves a fetched file into the store.
func (s fetchStore) keep(file, name, sum string) error {
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("keep %s: %w", name, err)
	}
	defer f.Close()
	if err := checkSum(f, name, sum); err != nil {
		return err
	}
	if err := os.Chmod(file, 0o444); err != nil {
		return fmt.Errorf("keep %s: %w", name, err)
	}
	if err := os.Rename(file, s.path(sum)); err != nil {
		return fmt.Errorf("keep %s: %w", name, err)
	}
	return nil
}

// checkSum leaves the file at its start.
func checkSum(f *os.File, name, want string) error {
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		return &HashError{File: name, Want: want, Got: got}
	}
	_, err := f.Seek(0, io.SeekStart)
	return err
}

// fetch brings every file the steps name into the store. It asks a client only for what is not there.
func (b *builder) fetch(ctx context.Context, steps []Step) error {
	if err := os.MkdirAll(b.store.dir, 0o700); err != nil {
		return fmt.Errorf("make fetch store: %w", err)
	}
	var wheels []Wheel
	var debs []Deb
	var toolchains []Toolchain
	for _, s := range steps {
		sum := s.sum()
		if sum == "" {
			continue
		}
		switch there, err := b.store.has(sum); {
		case err != nil:
			return fmt.Errorf("look into fetch store: %w", err)
		case there:
		case s.Wheel != nil:
			wheels = append(wheels, *s.Wheel)
		case s.Deb != nil:
			debs = append(debs, *s.Deb)
		case s.Toolchain != nil:
			toolchains = append(toolchains, *s.Toolchain)
		}
	}
	incoming, err := os.MkdirTemp(b.Cache, "incoming-")
	if err != nil {
		return fmt.Errorf("make fetch folder: %w", err)
	}
	defer os.RemoveAll(incoming)
	if len(wheels) > 0 {
		if err := b.fetchWheels(ctx, incoming, wheels); err != nil {
			return err
		}
	}
	if len(debs) > 0 {
		if err := b.fetchDebs(ctx, incoming, debs); err != nil {
			return err
		}
	}
	for _, t := range toolchains {
		if err := b.fetchToolchain(ctx, incoming, t); err != nil {
			return err
		}
	}
	return nil
}

// sum is the hash of the file a step fetches, or "".
func (s Step) sum() string {
	switch {
	case s.Wheel != nil:
		return s.Wheel.SHA256
	case s.Deb != nil:
		return s.Deb.SHA256
	case s.Toolchain != nil:
		return s.Toolchain.SHA256
	}
	return ""
}

// command runs a client and returns its stdout; a failure carries the end of what it said. The environment is the
// user's, for mirrors and proxies, with env over it.
func command(ctx context.Context, dir string, env []string, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(cmd.Environ(), env...)
	endWithUs(cmd)
	runtime.LockOSThread() // which is then not another's to end
	defer runtime.UnlockOSThread()
	cmd.WaitDelay = 2 * time.Second // after ctx has ended, for what the client has started and not ended
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		said := lastLines(stderr.String(), 5)
		if said == "" {
			return nil, fmt.Errorf("run %s: %w", filepath.Base(name), err)
		}
		return nil, fmt.Errorf("run %s: %w: %s", filepath.Base(name), err, said)
	}
	return stdout.Bytes(), nil
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "; ")
}
