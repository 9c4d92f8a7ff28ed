package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"

	"github.com/scangate/scangate/images"
	"github.com/scangate/scangate/images/store"
	"github.com/scangate/scangate/orchestrator/engine"
	"github.com/scangate/scangate/orchestrator/engine/docker"
	"github.com/scangate/scangate/orchestrator/engine/embedded"
	"github.com/scangate/scangate/orchestrator/engine/sandbox"
)

// openEngine opens the engine asked for. auto takes Docker where a Docker-compatible socket answers, else the embedded
// engine: the sandbox is the same.
func (e env) openEngine(ctx context.Context, name string, d dirs, st *store.Store, say func(string, ...any)) (engine.Engine, error) {
	if open, ok := e.engines[name]; ok {
		return open(ctx)
	}
	switch name {
	case "docker":
		eng, err := openDocker(ctx, d, st)
		return eng, noEngine(err)
	case "embedded":
		eng, err := openEmbedded(d, st)
		return eng, noEngine(err)
	case "auto":
		eng, dockerErr := openDocker(ctx, d, st)
		if dockerErr == nil {
			return eng, nil
		}
		eng, err := openEmbedded(d, st)
		if err != nil {
			return nil, noEngine(fmt.Errorf("docker: %w; embedded: %w", dockerErr, err))
		}
		if !errors.As(dockerErr, new(*docker.AbsentError)) {
			say("docker can't be used: %v; using the embedded engine", dockerErr)
		}
		return eng, nil
	}
	return nil, fmt.Errorf("--engine %s: want auto, docker or embedded", name)
}

func noEngine(err error) error {
	if err == nil {
		return nil
	}
	return hinted{fmt.Errorf("no engine to run scanners with: %w", err), `"scangate doctor" says why and what to do`}
}

func openDocker(ctx context.Context, d dirs, st *store.Store) (engine.Engine, error) {
	init, err := sandbox.Init(runtime.GOARCH)
	if err != nil {
		return nil, err
	}
	return docker.New(ctx, docker.Options{Dir: filepath.Join(d.state, "docker"), Init: init,
		Archive: func(ctx context.Context, i engine.Image) (io.ReadCloser, error) {
			r, w := io.Pipe()
			go func() { w.CloseWithError(st.Archive(ctx, pinOf(i), w)) }()
			return r, nil
		}})
}

func openEmbedded(d dirs, st *store.Store) (engine.Engine, error) {
	init, err := sandbox.Init(runtime.GOARCH)
	if err != nil {
		return nil, err
	}
	return embedded.New(embedded.Options{Root: filepath.Join(d.state, "embedded"), Init: init,
		Rootfs: func(ctx context.Context, i engine.Image) (string, error) { return st.Rootfs(ctx, pinOf(i)) }})
}

func pinOf(i engine.Image) images.Pin { return images.Pin{Manifest: i.Manifest, Config: i.Config} }
