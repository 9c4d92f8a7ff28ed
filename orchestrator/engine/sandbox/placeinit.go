package sandbox

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// "make init" builds them. The init itself does not call Init, so the linker leaves these bytes out of it.
//
//go:embed bin/*
var inits embed.FS

// ErrNoInit is what a plain go build gives: the init was not compiled before the program that embeds it.
var ErrNoInit = errors.New("built without its init: run make build")

// Init is the static Linux program that is PID 1 of every job, for GOARCH arch.
func Init(arch string) ([]byte, error) {
	b, err := inits.ReadFile("bin/scangate-init-linux-" + arch)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("linux/%s: %w", arch, ErrNoInit)
	}
	return b, err
}

// PlaceInit writes the init into a folder of its own below root and gives that folder, which the engine mounts at
// InitDir. A folder that is there already, with the same bytes, is used again.
func PlaceInit(root string, init []byte) (string, error) {
	sum := sha256.Sum256(init)
	dir := filepath.Join(root, "init-"+hex.EncodeToString(sum[:8]))
	file := filepath.Join(dir, filepath.Base(InitPath))
	if old, err := os.ReadFile(file); err == nil && bytes.Equal(old, init) {
		return dir, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("place init: %w", err)
	}
	if err := os.Chmod(dir, 0o755); err != nil { // whatever the umask: the job's user has to enter it
		return "", fmt.Errorf("place init: %w", err)
	}
	if err := place(file, init); err != nil {
		return "", fmt.Errorf("place init: %w", err)
	}
	return dir, nil
}

// place is atomic: another process may be placing the same init.
func place(file string, init []byte) error {
	f, err := os.CreateTemp(filepath.Dir(file), "new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(init)
	err = errors.Join(err, f.Chmod(0o555), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
