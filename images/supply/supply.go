// Package supply gets a pinned image into the store, from wherever its bytes can be had: the store itself, else its
// recipe. Whichever way it came, it has the locked digests or is refused.
package supply

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scangate/scangate/images"
	"github.com/scangate/scangate/images/assemble"
	"github.com/scangate/scangate/images/store"
)

// Supply is a store and the means to fill it.
type Supply struct {
	Store    *store.Store
	Recipes  map[string]assemble.Recipe
	Platform string
	Scratch  string                           // parent of each build's own folder
	Fetched  string                           // content-addressed folder of what recipes have fetched; may be kept and shared
	Say      func(format string, args ...any) // one line for people about what takes long
}

// Ensure returns when the store holds the image under exactly the pin. *images.MismatchError where a rebuilt image
// differs from the pin: nothing of it is used.
func (s *Supply) Ensure(ctx context.Context, name string, want images.Pin) error {
	has, err := s.Store.Has(want)
	if err != nil || has {
		return err
	}
	got, err := s.Build(ctx, name)
	if err != nil {
		return err
	}
	return want.Check(name, got)
}

// Build assembles the recipe's image into the store, whatever the lock says of it, and returns its pin.
func (s *Supply) Build(ctx context.Context, name string) (pin images.Pin, err error) {
	recipe, ok := s.Recipes[name]
	if !ok {
		return images.Pin{}, fmt.Errorf("image %s: not in the store, and there is no recipe of that name", name)
	}
	dir, remove, err := scratch(s.Scratch)
	if err != nil {
		return images.Pin{}, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	began := time.Now()
	s.Say("image %s %s: building from its recipe", name, recipe.Version)
	image, err := assemble.Build(ctx, recipe, assemble.Options{Platform: s.Platform, Cache: s.Fetched, Scratch: dir,
		Log: func(line string) { s.Say("image %s: %s", name, line) }})
	if err != nil {
		return images.Pin{}, err
	}
	pin, err = s.Store.Put(ctx, image)
	if err != nil {
		return images.Pin{}, err
	}
	s.Say("image %s %s: %d MB in %.1f s", name, recipe.Version, pin.Size>>20, time.Since(began).Seconds())
	return pin, nil
}
