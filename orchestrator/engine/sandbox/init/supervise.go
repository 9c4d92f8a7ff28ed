//go:build linux && (amd64 || arm64)

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/scangate/scangate/orchestrator/engine/sandbox"
)

// linger is how long PID 1 waits for the pipes to close once every process has been killed.
const linger = time.Second

// supervise runs one job. It returns an error only where it could not even send a trailer.
func supervise() error {
	if os.Getpid() != 1 {
		return errors.New("not PID 1: it would kill every process of the user")
	}
	if err := holdSignals(); err != nil {
		return err
	}
	spec, err := sandbox.ReadSpec(os.Stdin)
	if err != nil {
		return err
	}
	go lifeline()
	j := &job{spec: spec, stream: sandbox.NewStream(os.Stdout)}
	return j.stream.Close(j.run())
}

// lifeline ends PID 1, and with it every process of the job, when stdin closes.
func lifeline() {
	_, _ = os.Stdin.Read(make([]byte, 1)) // whatever it gives, the engine is gone or mad
	os.Exit(1)
}

type job struct {
	spec   sandbox.Spec
	stream *sandbox.Stream

	mu            sync.Mutex
	fault, detail string // the first one
}

func (j *job) run() sandbox.Trailer {
	child, err := start(j.spec)
	if err != nil {
		return sandbox.Trailer{Exit: -1, Fault: "start", Detail: err.Error()}
	}
	if err := forgo(); err != nil {
		j.fail("isolation", err.Error())
	}
	// From now on the program, which has the same user id, cannot reach into PID 1 by ptrace or /proc/1. The second stage
	// waits for its spec until this is so. The kernel lets PID 1 write the child's id maps only before.
	if err := volunteer(); err != nil { // while its files in /proc are still its own
		j.fail("isolation", err.Error())
	} else if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		j.fail("isolation", fmt.Sprintf("make PID 1 unreachable: %v", err))
	} else if err := child.tell(j.spec); err != nil {
		j.fail("start", err.Error())
	}
	deadline := time.AfterFunc(j.spec.Limits.Timeout, func() {
		j.fail("timeout", fmt.Sprintf("not done after %s", j.spec.Limits.Timeout))
	})
	defer deadline.Stop()
	done := make(chan error, 3)
	go func() { done <- j.pump(child.stdout, j.stream.Stdout, "stdout", j.spec.Limits.Stdout) }()
	go func() { done <- j.pump(child.stderr, j.stream.Stderr, "stderr", j.spec.Limits.Stderr) }()
	go func() { done <- j.report(child.report) }()

	status, err := reap(child.pid)
	if err != nil {
		j.fail("start", err.Error())
	}
	for _, p := range []*os.File{child.stdout, child.stderr, child.report} {
		err = errors.Join(err, p.SetReadDeadline(time.Now().Add(linger)))
	}
	for range 3 {
		err = errors.Join(err, <-done)
	}
	if err != nil {
		j.fail("isolation", err.Error())
	}
	return j.trailer(status)
}

// fail keeps the first fault and kills every process of the job.
func (j *job) fail(fault, detail string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.fault == "" {
		j.fault, j.detail = fault, detail
	}
	killAll()
}

// killAll kills every process but PID 1. That there is none to kill is fine.
func killAll() { _ = unix.Kill(-1, unix.SIGKILL) }

// pump sends what comes through the pipe, up to the limit, and reads on until it closes.
func (j *job) pump(r io.Reader, send func([]byte) error, name string, limit int64) error {
	buf := make([]byte, 64<<10)
	for {
		n, err := r.Read(buf)
		piece := buf[:min(int64(n), limit)]
		limit -= int64(len(piece))
		if err := send(piece); err != nil {
			os.Exit(1) // nobody is there to be told
		}
		if len(piece) < n {
			j.fail("output", fmt.Sprintf("%s is longer than its limit", name))
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
	}
}

// reap collects every process until none is left, and gives the status of the main one. When that ends, the others are
// killed: again and again, since one may have been forking.
func reap(main int) (syscall.WaitStatus, error) {
	var status syscall.WaitStatus
	over := false
	for {
		var ws syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &ws, 0, nil)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.ECHILD && over:
			return status, nil
		case err != nil:
			return status, fmt.Errorf("wait: %w", err)
		case pid == main:
			status, over = ws, true
		}
		if over {
			killAll()
		}
	}
}

func (j *job) trailer(status syscall.WaitStatus) sandbox.Trailer {
	j.mu.Lock()
	defer j.mu.Unlock()
	t := sandbox.Trailer{Exit: -1, Fault: j.fault, Detail: j.detail}
	if status.Exited() {
		t.Exit = status.ExitStatus()
	} else {
		t.Signal = int(status.Signal())
	}
	if t.Fault == "" && status.Signal() == syscall.SIGXCPU {
		t.Fault, t.Detail = "timeout", "a process used up its CPU time"
	}
	var ru unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_CHILDREN, &ru); err != nil && t.Fault == "" {
		t.Fault, t.Detail = "isolation", fmt.Sprintf("read usage: %v", err)
	}
	t.CPU = time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
	t.MaxRSS = ru.Maxrss << 10 // getrusage(2): kilobytes
	return t
}
