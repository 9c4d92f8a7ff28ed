//go:build linux && cgo

package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/sirupsen/logrus"

	"github.com/scangate/scangate/orchestrator/engine"
	"github.com/scangate/scangate/orchestrator/engine/sandbox"
	"github.com/scangate/scangate/pkg/lease"
)

type embedded struct {
	rootfs   func(context.Context, engine.Image) (string, error)
	rootless bool
	cgroups  bool
	noCgroup string // why not
	initDir  string
	runs     string // folder of all runs
	run      string // id of ours
	lease    *lease.Lease
	jobs     atomic.Int64
}

// New makes the engine, for whoever calls: root, or an ordinary user.
func New(o Options) (engine.Engine, error) {
	e, err := open(o)
	if err != nil {
		return nil, fmt.Errorf("embedded engine: %w", err)
	}
	return e, nil
}

func open(o Options) (*embedded, error) {
	// libcontainer warns through logrus of what an Outcome says already, such as that an ordinary user has no cgroup.
	logrus.SetLevel(logrus.ErrorLevel)
	mounted, err := cgroupMounted()
	if err != nil {
		return nil, err
	}
	if !mounted {
		return nil, errors.New("no cgroup file system is mounted: mount one at /sys/fs/cgroup, or use --engine docker")
	}
	root, err := filepath.Abs(o.Root)
	if err != nil {
		return nil, err
	}
	e := &embedded{rootfs: o.Rootfs, rootless: os.Geteuid() != 0, runs: filepath.Join(root, "runs")}
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, err
	}
	if e.initDir, err = sandbox.PlaceInit(root, o.Init); err != nil {
		return nil, err
	}
	if err := able(filepath.Join(e.initDir, filepath.Base(sandbox.InitPath)), e.rootless); err != nil {
		return nil, err
	}
	if e.run, e.lease, err = takeRun(e.runs); err != nil {
		return nil, fmt.Errorf("make run folder: %w", err)
	}
	if e.rootless {
		e.noCgroup = "an ordinary user owns none"
	} else if err := tryCgroup(e.run); err != nil {
		e.noCgroup = err.Error()
	} else {
		e.cgroups = true
	}
	return e, nil
}

func (e *embedded) Name() string { return "embedded" }

// Close gives up the run's folder and lease. No job may be running.
func (e *embedded) Close() error {
	return e.removeRun(e.run, e.lease)
}
