package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"

	"github.com/scangate/scangate/orchestrator/engine"
	"github.com/scangate/scangate/orchestrator/engine/sandbox"
)

// Run runs one job in one container.
func (d *docker) Run(ctx context.Context, j engine.Job) (engine.Outcome, error) {
	o, err := d.run(ctx, j)
	if ctx.Err() != nil {
		return engine.Outcome{}, context.Cause(ctx)
	}
	if err != nil {
		return engine.Outcome{}, fmt.Errorf("run %s: %w", j.Name, err)
	}
	return o, nil
}

func (d *docker) run(ctx context.Context, j engine.Job) (engine.Outcome, error) {
	if len(j.Command) == 0 {
		return engine.Outcome{}, errors.New("the job has no command")
	}
	image, err := d.ensure(ctx, j.Image)
	if err != nil {
		return engine.Outcome{}, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, j.Limits.Timeout+patienceForAll, errors.New("the daemon has not answered in time"))
	defer cancel()
	mounts, err := binds(d.initDir, j.Mounts, d.nested)
	if err != nil {
		return engine.Outcome{}, err
	}
	asked := hostConfig(j.Limits, d.info, d.podman, mounts)
	// The name is ours, so that a container whose creation we did not hear of can be removed.
	name := fmt.Sprintf("scangate-%s-%d", d.lease.id, d.jobs.Add(1))
	defer d.discard(ctx, name)
	if _, err := d.api.ContainerCreate(ctx, config(image, d.lease.labels(j.Name)), asked, nil, nil, name); err != nil {
		return engine.Outcome{}, fmt.Errorf("create container: %w", err)
	}
	began := time.Now()
	wire, ended, err := d.start(ctx, name)
	if err != nil {
		return engine.Outcome{}, err
	}
	defer wire.Close() // the lifeline: the init kills the job when it closes
	c, seen := d.talk(ctx, wire, j)
	seen.Wall = time.Since(began)
	wire.Close() // what has not ended by now ends with its lifeline
	killed, err := d.finish(ctx, name, ended)
	if err != nil {
		return engine.Outcome{}, err
	}
	end, err := d.api.ContainerInspect(ctx, name)
	if err != nil {
		return engine.Outcome{}, fmt.Errorf("inspect container: %w", err)
	}
	if end.ContainerJSONBase == nil || end.State == nil {
		return engine.Outcome{}, errors.New("inspect container: no state")
	}
	// PID 1 volunteers for the out-of-memory killer, and nothing in the job can kill it. State.OOMKilled alone is not
	// enough: on a busy machine Docker 20.10 misses some.
	seen.OOM = end.State.OOMKilled || c.Trailer == nil && end.State.ExitCode == 128+9 && !killed
	seen.Cgroups = limited(d.info) && held(asked, end.HostConfig)
	return engine.Conclude(j, c, seen), nil
}

// patienceForAll is what a daemon may take for all that it is asked about a job, beside the job's own time.
const patienceForAll = 2 * time.Minute

// finish waits for the end, and kills a container that does not end by itself.
func (d *docker) finish(ctx context.Context, name string, ended <-chan error) (killed bool, err error) {
	for {
		select {
		case err := <-ended:
			if err != nil {
				return killed, fmt.Errorf("wait for container: %w", err)
			}
			return killed, nil
		case <-time.After(engine.Grace):
		}
		if killed {
			return killed, fmt.Errorf("wait for container: not ended %s after it was killed", engine.Grace)
		}
		killed = true
		if err := d.api.ContainerKill(ctx, name, "KILL"); err != nil && !cerrdefs.IsConflict(err) { // it has just ended
			return killed, fmt.Errorf("kill container: %w", err)
		}
	}
}

// start attaches, waits and starts, in this order: what attaches or waits after the start can miss the end. Podman 4.3
// refuses the first (409) and does not acknowledge the second, so there it is the other way round; nothing is missed, as
// the init says nothing before it is told its job, and has not ended then.
func (d *docker) start(ctx context.Context, name string) (types.HijackedResponse, <-chan error, error) {
	if d.podman {
		if err := d.api.ContainerStart(ctx, name, container.StartOptions{}); err != nil {
			return types.HijackedResponse{}, nil, fmt.Errorf("start container: %w", err)
		}
		wire, err := d.attach(ctx, name)
		if err != nil {
			return wire, nil, fmt.Errorf("attach: %w", err)
		}
		ended := make(chan error, 1)
		go func() { ended <- <-d.wait(ctx, name, container.WaitConditionNotRunning) }()
		return wire, ended, nil
	}
	wire, err := d.attach(ctx, name)
	if err != nil {
		return wire, nil, fmt.Errorf("attach: %w", err)
	}
	ended := d.wait(ctx, name, container.WaitConditionNextExit)
	if err := d.api.ContainerStart(ctx, name, container.StartOptions{}); err != nil {
		wire.Close()
		return wire, nil, fmt.Errorf("start container: %w", err)
	}
	return wire, ended, nil
}

// attach ends with the context. The client's own (v28.5.2) waits for the daemon's answer however long that takes.
func (d *docker) attach(ctx context.Context, name string) (types.HijackedResponse, error) {
	var wire types.HijackedResponse
	answer := make(chan error, 1)
	go func() {
		var err error
		wire, err = d.api.ContainerAttach(ctx, name, streams)
		answer <- err
	}()
	select {
	case err := <-answer:
		return wire, err
	case <-ctx.Done():
		go func() {
			if <-answer == nil {
				wire.Close()
			}
		}()
		return types.HijackedResponse{}, context.Cause(ctx)
	}
}

var streams = container.AttachOptions{Stream: true, Stdin: true, Stdout: true, Stderr: true}

// wait asks at once, and hands on the end.
func (d *docker) wait(ctx context.Context, name string, until container.WaitCondition) <-chan error {
	ended, failed := d.api.ContainerWait(ctx, name, until)
	out := make(chan error, 1)
	go func() {
		select {
		case err := <-failed:
			out <- err
		case r := <-ended:
			if r.Error != nil {
				out <- errors.New(r.Error.Message)
				return
			}
			out <- nil
		}
	}()
	return out
}

// talk tells the init its job and reads the stream until it ends: by itself, by the context, or by our own deadline,
// which is for an init that does not keep the job's.
func (d *docker) talk(ctx context.Context, wire types.HijackedResponse, j engine.Job) (sandbox.Collected, engine.Seen) {
	late, cancel := context.WithTimeout(ctx, j.Limits.Timeout+engine.Grace)
	defer cancel()
	defer context.AfterFunc(late, wire.Close)()

	frames, demuxed := io.Pipe()
	var said head
	go func() {
		_, err := stdcopy.StdCopy(demuxed, &said, wire.Reader)
		demuxed.CloseWithError(err)
	}()
	err := sandbox.WriteSpec(wire.Conn, sandbox.Spec{
		Command: j.Command, Env: j.Env, Dir: j.Dir, UID: sandbox.UID, GID: sandbox.GID,
		Limits: j.Limits, Rlimits: !limited(d.info),
	})
	c, bad := sandbox.Collect(frames, j.Limits)
	frames.CloseWithError(bad)
	if err == nil {
		err = bad
	}
	if line := said.line(); err != nil && line != "" {
		err = fmt.Errorf("%w; the init said: %s", err, line)
	}
	return c, engine.Seen{Stream: err, Overdue: late.Err() != nil && ctx.Err() == nil}
}

// head keeps the first kilobyte of the init's own stderr, where it or the runtime says why it could not go on.
type head struct {
	mu   sync.Mutex
	kept []byte
}

func (h *head) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.kept = append(h.kept, p[:min(len(p), 1<<10-len(h.kept))]...)
	return len(p), nil
}

func (h *head) line() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	first, _, _ := strings.Cut(strings.TrimSpace(string(h.kept)), "\n")
	return first
}

// discard removes a job's container also after the caller's context has ended. Close tries again and reports.
func (d *docker) discard(ctx context.Context, name string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removal)
	defer cancel()
	_ = d.remove(ctx, name)
}

func (d *docker) remove(ctx context.Context, name string) error {
	err := d.api.ContainerRemove(ctx, name, container.RemoveOptions{Force: true, RemoveVolumes: true})
	if err == nil || cerrdefs.IsNotFound(err) || cerrdefs.IsConflict(err) && removing(err) {
		return nil
	}
	return fmt.Errorf("remove container %s: %w", name, err)
}

// removing says that somebody else is removing the container, which is all we want.
func removing(err error) bool { return strings.Contains(err.Error(), "already in progress") }
