// Package replay is an engine that runs nothing: it hands out recorded outcomes, so that tests drive the whole product
// on what real tools have printed.
package replay

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/scangate/scangate/orchestrator/engine"
	"github.com/scangate/scangate/orchestrator/engine/sandbox"
)

// Engine reads NAME.out, NAME.err, NAME.exit and NAME.fault from a folder, NAME being the job's; a canary job's is
// "NAME-canary". Only .exit or .fault must be there.
type Engine struct{ Dir string }

// Name is "replay".
func (Engine) Name() string { return "replay" }

// Run returns what is recorded for the job's name. Nothing recorded is an error.
func (e Engine) Run(ctx context.Context, j engine.Job) (engine.Outcome, error) {
	if err := ctx.Err(); err != nil {
		return engine.Outcome{}, err
	}
	read := func(ext string) (string, error) {
		b, err := os.ReadFile(filepath.Join(e.Dir, j.Name+ext))
		if errors.Is(err, fs.ErrNotExist) {
			return "", nil
		}
		return string(b), err
	}
	var parts [4]string
	for i, ext := range []string{".out", ".err", ".exit", ".fault"} {
		var err error
		if parts[i], err = read(ext); err != nil {
			return engine.Outcome{}, fmt.Errorf("replay %s: %w", j.Name, err)
		}
	}
	exit, fault := strings.TrimSpace(parts[2]), strings.TrimSpace(parts[3])
	switch {
	case fault == "panic":
		panic("recorded panic of " + j.Name)
	case exit == "" && fault == "":
		return engine.Outcome{}, fmt.Errorf("replay %s: nothing recorded in %s", j.Name, e.Dir)
	}
	o := engine.Outcome{Stdout: []byte(parts[0]), Stderr: []byte(parts[1]), Fault: engine.Fault(fault),
		Facts: sandbox.Facts{UID: sandbox.UID, GID: sandbox.GID, NoNewPrivs: true, Seccomp: 2, Caps: "0"}}
	if exit != "" {
		var err error
		if o.Exit, err = strconv.Atoi(exit); err != nil {
			return engine.Outcome{}, fmt.Errorf("replay %s: exit status: %w", j.Name, err)
		}
	}
	return o, nil
}

// Sweep has nothing to remove.
func (Engine) Sweep(context.Context) error { return nil }

// Close has nothing to close.
func (Engine) Close() error { return nil }
