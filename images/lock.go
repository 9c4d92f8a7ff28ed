package images

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"

	"go.yaml.in/yaml/v3"
)

// LockSchema is the only value of Lock.Schema this release reads.
const LockSchema = "scangate.lock/v1"

// FromRecipe is the only Source of an Image that this release knows.
const FromRecipe = "recipe"

// ErrNotPinned means: the lock says nothing of that image on that platform.
var ErrNotPinned = errors.New("not in the lock")

// MismatchError means: these are not the bytes that the lock names. Want and Got are manifest or config digests.
type MismatchError struct {
	Image, Want, Got string
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("image %s: digest mismatch: want %s, got %s", e.Image, e.Want, e.Got)
}

// Pin returns what the lock says of the image on the platform ("linux/amd64"), or ErrNotPinned.
func (l Lock) Pin(name, platform string) (Pin, error) {
	pin, ok := l.Images[name].Platforms[platform]
	if !ok {
		return Pin{}, fmt.Errorf("image %s for %s: %w", name, platform, ErrNotPinned)
	}
	return pin, nil
}

// Check compares an image's digests with its pin: nil or a *MismatchError.
func (p Pin) Check(name string, got Pin) error {
	if got.Manifest != p.Manifest {
		return &MismatchError{Image: name, Want: p.Manifest, Got: got.Manifest}
	}
	if got.Config != p.Config {
		return &MismatchError{Image: name, Want: p.Config, Got: got.Config}
	}
	return nil
}

// DecodeLock reads scangate.lock. A key it does not know, a second document, a digest that is none: errors with the
// line or the name.
func DecodeLock(source []byte) (Lock, error) {
	dec := yaml.NewDecoder(bytes.NewReader(source))
	dec.KnownFields(true)
	var l Lock
	if err := dec.Decode(&l); err != nil {
		return Lock{}, fmt.Errorf("parse lock: %w", err)
	}
	if err := dec.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return Lock{}, errors.New("parse lock: more than one document")
	}
	if err := l.check(); err != nil {
		return Lock{}, fmt.Errorf("parse lock: %w", err)
	}
	return l, nil
}

// EncodeLock is the canonical text of a lock: sorted names, two blanks of indent.
func EncodeLock(l Lock) ([]byte, error) {
	if err := l.check(); err != nil {
		return nil, fmt.Errorf("write lock: %w", err)
	}
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(l); err != nil {
		return nil, fmt.Errorf("write lock: %w", err)
	}
	if err := enc.Close(); err != nil {
		return nil, fmt.Errorf("write lock: %w", err)
	}
	return b.Bytes(), nil
}

var (
	digestForm   = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	platformForm = regexp.MustCompile(`^[a-z0-9]+/[a-z0-9]+$`)
	nameForm     = regexp.MustCompile(`^[a-z0-9]+([._-][a-z0-9]+)*$`)
)

func (l Lock) check() error {
	if l.Schema != LockSchema {
		return fmt.Errorf("schema %q is not %q", l.Schema, LockSchema)
	}
	if l.Adapters == "" {
		return errors.New("adapters is empty")
	}
	for name, image := range l.Images {
		if !nameForm.MatchString(name) {
			return fmt.Errorf("image name %q is not lower case letters, digits and single . _ -", name)
		}
		if image.Source != FromRecipe {
			return fmt.Errorf("image %s: source %q is not %q", name, image.Source, FromRecipe)
		}
		if len(image.Platforms) == 0 {
			return fmt.Errorf("image %s: no platform", name)
		}
		for platform, pin := range image.Platforms {
			switch {
			case !platformForm.MatchString(platform):
				return fmt.Errorf("image %s: platform %q is not os/arch", name, platform)
			case !digestForm.MatchString(pin.Manifest):
				return fmt.Errorf("image %s: %s: manifest %q is not a sha256 digest", name, platform, pin.Manifest)
			case !digestForm.MatchString(pin.Config):
				return fmt.Errorf("image %s: %s: config %q is not a sha256 digest", name, platform, pin.Config)
			case pin.Size <= 0:
				return fmt.Errorf("image %s: %s: size %d is not positive", name, platform, pin.Size)
			}
		}
	}
	return nil
}
