// Package docker runs jobs through the Docker Engine API: Docker 20.10 and later, and what speaks its API on a unix
// socket. It knows how a container is made as strong as a Job asks for; what the job's program is and means, it does not.
//
// The daemon is asked to create, attach, wait, start, inspect and remove. The archive (cp) and exec APIs are never used:
// they act on a running container's files with the daemon's rights (CVE-2018-15664, CVE-2019-14271, CVE-2026-41567).
package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/api/types/versions"
	"github.com/docker/docker/client"

	"github.com/scangate/scangate/orchestrator/engine"
	"github.com/scangate/scangate/orchestrator/engine/sandbox"
)

// minAPI is Docker 20.10's: below it there is no CgroupnsMode (1.41) and no non-recursive bind (1.40).
const minAPI = "1.41"

// Options say where the daemon is and what it needs from us.
type Options struct {
	// Host is "unix:///path", or "" for DOCKER_HOST and then the usual sockets.
	Host string
	// Dir is a folder of the user's own that lasts, such as one below the XDG state folder. It holds the init and the
	// leases. The daemon must see it under the same name: Colima and Docker Desktop share the home folder only.
	Dir string
	// Init is the static Linux program for the daemon's architecture.
	Init []byte
	// Archive opens an image as a tar that the daemon can load: a docker-archive, also one with an OCI layout beside its
	// manifest.json. It is called for an image that the daemon does not have. Nil: such an image is an error.
	Archive func(ctx context.Context, i engine.Image) (io.ReadCloser, error)
}

type docker struct {
	opts    Options
	api     *client.Client
	info    system.Info
	podman  bool
	nested  bool // a bind can be made read-only with everything below it (API 1.44)
	initDir string
	lease   *owned
	jobs    atomic.Int64

	mu     sync.Mutex
	images map[engine.Image]*loaded
}

// New connects to the daemon. The error is an *AbsentError where none answers.
func New(ctx context.Context, o Options) (engine.Engine, error) {
	api, err := connect(ctx, o.Host)
	if err != nil {
		return nil, err
	}
	d, err := open(ctx, api, o)
	if err != nil {
		return nil, errors.Join(err, api.Close())
	}
	return d, nil
}

func open(ctx context.Context, api *client.Client, o Options) (*docker, error) {
	info, err := api.Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask %s about itself: %w", api.DaemonHost(), err)
	}
	version, err := api.ServerVersion(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask %s for its version: %w", api.DaemonHost(), err)
	}
	if err := usable(info, api.ClientVersion()); err != nil {
		return nil, fmt.Errorf("docker at %s: %w", api.DaemonHost(), err)
	}
	if !filepath.IsAbs(o.Dir) {
		return nil, fmt.Errorf("docker's state folder %q is not absolute", o.Dir)
	}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("make docker's state folder: %w", err)
	}
	initDir, err := sandbox.PlaceInit(o.Dir, o.Init)
	if err != nil {
		return nil, err
	}
	l, err := takeLease(o.Dir)
	if err != nil {
		return nil, err
	}
	return &docker{
		opts: o, api: api, info: info, initDir: initDir, lease: l, images: map[engine.Image]*loaded{},
		podman: strings.HasPrefix(product(version), "Podman"),
		nested: versions.GreaterThanOrEqualTo(api.ClientVersion(), "1.44"),
	}, nil
}

// usable says why a daemon that answers can still run no job.
func usable(info system.Info, api string) error {
	switch {
	case versions.LessThan(api, minAPI):
		return fmt.Errorf("its API is %s, want %s (Docker 20.10) or later", api, minAPI)
	case info.OSType != "linux":
		return fmt.Errorf("it runs %s containers, want linux", info.OSType)
	case !hasSeccomp(info):
		return errors.New("it has no seccomp")
	}
	return nil
}

func (d *docker) Name() string { return "docker" }

// Close removes containers that a failed removal left, and gives the lease back.
func (d *docker) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), removal)
	defer cancel()
	var errs []error
	husks, err := d.containers(ctx)
	if err != nil {
		errs = append(errs, err)
	}
	for _, h := range husks {
		if h.lease == d.lease.id {
			errs = append(errs, d.remove(ctx, h.id))
		}
	}
	if errors.Join(errs...) == nil {
		errs = append(errs, d.lease.End())
	} else {
		errs = append(errs, d.lease.Drop()) // the next Sweep removes the rest
	}
	return errors.Join(append(errs, d.api.Close())...)
}
