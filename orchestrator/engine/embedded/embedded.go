// Package embedded runs jobs without a daemon: runc's libcontainer makes the container in our own process tree. It works
// for root, and for an ordinary user with nothing but a user namespace: no setuid program, no /etc/subuid.
//
// It knows nothing of images: a function gives it the root file system of one.
package embedded

import (
	"context"
	"errors"

	"github.com/scangate/scangate/orchestrator/engine"
)

// Options are what New needs. All are required.
type Options struct {
	// Root is a folder for state, on a file system that may run programs. It is made if absent.
	Root string
	// Rootfs gives the unpacked root file system of an image. Several jobs share one, read-only. It has the folders /proc,
	// /dev, /tmp and those of the job's mounts and sandbox.InitDir, or they can be made there.
	Rootfs func(ctx context.Context, i engine.Image) (dir string, err error)
	// Init is the static init for this machine, sandbox.Init(runtime.GOARCH).
	Init []byte
}

// Capability is what the engine can do on this machine, for people.
type Capability struct {
	Rootless bool   // by a user namespace
	Cgroups  bool   // memory, pids and CPU of the whole job are held by a cgroup; else rlimits of each process
	NoCgroup string // why not
	Kernel   string
	Facts    []string // settings of the kernel that bear on it, one "name=value" each
}

// ErrUnsupported is what New gives where the engine is not part of the program.
var ErrUnsupported = errors.New("the embedded engine needs Linux and a program built with cgo: use --engine docker")
