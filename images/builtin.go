package images

import "embed"

// Recipes holds recipes/NAME.yaml and the lock files beside them, so that one binary can build every image by itself.
//
//go:embed recipes
var Recipes embed.FS

//go:embed scangate.lock
var builtin []byte

// Builtin is the lock of this release, in force where a workspace has none.
func Builtin() (Lock, error) { return DecodeLock(builtin) }
