//go:build !linux || !cgo

package embedded

import (
	"context"

	"github.com/scangate/scangate/orchestrator/engine"
)

// New always fails here.
func New(Options) (engine.Engine, error) { return nil, ErrUnsupported }

// Check always fails here.
func Check(context.Context, Options) (Capability, error) { return Capability{}, ErrUnsupported }
