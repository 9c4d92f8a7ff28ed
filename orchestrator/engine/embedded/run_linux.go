//go:build linux && cgo

package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/cgroups/manager"
	"github.com/opencontainers/runc/libcontainer"
	"github.com/opencontainers/runc/libcontainer/configs"
	"golang.org/x/sys/unix"

	"github.com/scangate/scangate/orchestrator/engine"
	"github.com/scangate/scangate/orchestrator/engine/sandbox"
)

// Run makes a container, runs the job in it and removes it.
func (e *embedded) Run(ctx context.Context, j engine.Job) (engine.Outcome, error) {
	o, err := e.runJob(ctx, j)
	if ctx.Err() != nil {
		return engine.Outcome{}, context.Cause(ctx)
	}
	if err != nil {
		return engine.Outcome{}, fmt.Errorf("run %s in the embedded engine: %w", j.Name, err)
	}
	return o, nil
}

func (e *embedded) runJob(ctx context.Context, j engine.Job) (engine.Outcome, error) {
	rootfs, err := e.rootfs(ctx, j.Image)
	if err != nil {
		return engine.Outcome{}, err
	}
	// libcontainer v1.5.2 refuses a path with a link in it, such as a ~/.cache on another disk.
	if rootfs, err = filepath.EvalSymlinks(rootfs); err != nil {
		return engine.Outcome{}, fmt.Errorf("find root file system: %w", err)
	}
	id := fmt.Sprintf("%s-%d", e.run, e.jobs.Add(1))
	config, err := e.containerConfig(id, rootfs, j)
	if err != nil {
		return engine.Outcome{}, err
	}
	started := time.Now()
	c, err := libcontainer.Create(filepath.Join(e.runs, e.run), id, config)
	if err != nil {
		return engine.Outcome{}, fmt.Errorf("create container: %w", err)
	}
	col, seen, err := e.attend(ctx, c, j)
	if err == nil && e.cgroups {
		seen.OOM, err = outOfMemory(config.Cgroups)
	}
	if err := errors.Join(err, c.Destroy()); err != nil {
		return engine.Outcome{}, err
	}
	seen.Cgroups, seen.Wall = e.cgroups, time.Since(started)
	return engine.Conclude(j, col, seen), nil
}

// attend starts the init, tells it its job, and collects what it sends until it has ended.
func (e *embedded) attend(ctx context.Context, c *libcontainer.Container, j engine.Job) (sandbox.Collected, engine.Seen, error) {
	var col sandbox.Collected
	var seen engine.Seen
	stdin, lifeline, err := os.Pipe()
	if err != nil {
		return col, seen, err
	}
	defer lifeline.Close()
	frames, stdout, err := os.Pipe()
	if err != nil {
		return col, seen, errors.Join(err, stdin.Close())
	}
	defer frames.Close()
	var stderr tail
	p := e.process(stdin, stdout, &stderr)
	err = c.Run(p)
	if err := errors.Join(err, stdin.Close(), stdout.Close()); err != nil {
		return col, seen, fmt.Errorf("start container: %w", err)
	}
	// Killing PID 1 kills every process of its namespace. That it has gone already is fine.
	kill := func() { _ = p.Signal(unix.SIGKILL) }
	stop := context.AfterFunc(ctx, kill)
	defer stop()
	var overdue atomic.Bool
	limit := time.AfterFunc(j.Limits.Timeout+engine.Grace, func() {
		overdue.Store(true)
		kill()
	})
	defer limit.Stop()
	told := make(chan error, 1)
	go func() {
		told <- sandbox.WriteSpec(lifeline, sandbox.Spec{
			Command: j.Command, Env: j.Env, Dir: j.Dir, UID: sandbox.UID, GID: sandbox.GID, Limits: j.Limits, Rlimits: !e.cgroups,
		})
	}()
	col, seen.Stream = sandbox.Collect(frames, j.Limits)
	if seen.Stream != nil {
		kill()
	}
	var ended *exec.ExitError
	state, err := p.Wait()
	if err != nil && !errors.As(err, &ended) {
		return col, seen, fmt.Errorf("wait for container: %w", err)
	}
	seen.Overdue = overdue.Load()
	if err := <-told; err != nil && seen.Stream == nil {
		seen.Stream = err
	}
	if seen.Stream != nil {
		seen.Stream = fmt.Errorf("%w; the init ended with %s: %s", seen.Stream, state, stderr.String())
	}
	return col, seen, nil
}

// process is the init as PID 1, without an environment. Root runs it as the job's user right away; in an ordinary user's
// namespace it has to be root.
func (e *embedded) process(stdin, stdout *os.File, stderr *tail) *libcontainer.Process {
	yes := true
	p := &libcontainer.Process{
		Init: true, Args: []string{sandbox.InitPath}, Env: []string{}, Cwd: "/", UID: sandbox.UID, GID: sandbox.GID,
		Stdin: stdin, Stdout: stdout, Stderr: stderr, NoNewPrivileges: &yes, Capabilities: &configs.Capabilities{},
		Rlimits: []configs.Rlimit{{Type: unix.RLIMIT_CORE}},
	}
	if e.rootless {
		p.UID, p.GID = 0, 0
		// Mapping the container's root on to the job's user takes this, user_namespaces(7); the init then drops it.
		setfcap := []string{"CAP_SETFCAP"}
		p.Capabilities = &configs.Capabilities{Bounding: setfcap, Permitted: setfcap, Effective: setfcap}
	}
	return p
}

// outOfMemory says whether the kernel has killed any process of the cgroup for lack of memory.
func outOfMemory(c *cgroups.Cgroup) (bool, error) {
	m, err := manager.New(c)
	if err != nil {
		return false, err
	}
	n, err := m.OOMKillCount()
	return n > 0, err
}

// tail keeps the first few lines of the init's own complaints.
type tail struct{ b bytes.Buffer }

func (t *tail) Write(p []byte) (int, error) {
	if room := 2048 - t.b.Len(); room > 0 {
		t.b.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

func (t *tail) String() string { return strings.Join(strings.Fields(t.b.String()), " ") }
