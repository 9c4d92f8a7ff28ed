//go:build linux && (amd64 || arm64)

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/scangate/scangate/orchestrator/engine/sandbox"
)

// Descriptors of the second stage beside the standard three.
const (
	specFD   = 3 // the Spec, from PID 1
	reportFD = 4 // reports, to PID 1; closed by a successful exec
)

// report is what the second stage sends: the facts, and why it could not become the program.
type report struct {
	Facts  *sandbox.Facts `json:"facts,omitempty"`
	Fault  string         `json:"fault,omitempty"` // "start" or "isolation"
	Detail string         `json:"detail,omitempty"`
}

// child is the second stage as PID 1 sees it.
type child struct {
	pid                    int
	spec                   *os.File
	stdout, stderr, report *os.File
}

// start leaves the second stage waiting for its spec. PID 1 ends where it fails, so nothing is closed then.
func start(spec sandbox.Spec) (*child, error) {
	attr := &syscall.SysProcAttr{Setsid: true}
	switch uid := os.Getuid(); {
	case uid == spec.UID && os.Getgid() == spec.GID:
	case uid == 0 && os.Getgid() == 0:
		nested, err := inUserNamespace()
		if err != nil {
			return nil, err
		}
		if !nested {
			return nil, errors.New("PID 1 is root of the host")
		}
		nest(attr, spec)
	default:
		return nil, fmt.Errorf("PID 1 runs as %d:%d, the job is for %d:%d", uid, os.Getgid(), spec.UID, spec.GID)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	c := &child{}
	var spec3, out1, err2, report4 *os.File // the child's ends
	for _, p := range []struct{ r, w **os.File }{{&spec3, &c.spec}, {&c.stdout, &out1}, {&c.stderr, &err2}, {&c.report, &report4}} {
		if *p.r, *p.w, err = os.Pipe(); err != nil {
			return nil, err
		}
	}
	ends := []*os.File{null, out1, err2, spec3, report4}
	var files []uintptr
	for _, f := range ends {
		files = append(files, f.Fd())
	}
	c.pid, err = syscall.ForkExec("/proc/self/exe", []string{sandbox.InitPath, stageTwo},
		&syscall.ProcAttr{Env: []string{}, Files: files, Sys: attr})
	if err != nil {
		return nil, fmt.Errorf("start the second stage: %w", err)
	}
	for _, f := range ends {
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// nest puts the child into a user namespace of its own, where PID 1's user is the job's. An engine that an ordinary user
// runs can map only one id, and the container's root is what it has to be.
func nest(attr *syscall.SysProcAttr, spec sandbox.Spec) {
	attr.Cloneflags = syscall.CLONE_NEWUSER
	attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: spec.UID, HostID: 0, Size: 1}}
	attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: spec.GID, HostID: 0, Size: 1}}
	// A new user namespace begins with a full bounding set; this one capability, over nothing but that namespace, is what
	// emptying it takes.
	attr.AmbientCaps = []uintptr{unix.CAP_SETPCAP}
}

// forgo gives up the capability that nesting took, in every thread.
func forgo() error {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&head)), uintptr(unsafe.Pointer(&none)), 0)
	if errno != 0 {
		return fmt.Errorf("clear capabilities of PID 1: %w", errno)
	}
	return nil
}

// inUserNamespace says whether some id of the host is not mapped here.
func inUserNamespace() (bool, error) {
	m, err := userMap()
	return m != "0 0 4294967295", err
}

// inNest tells whether the calling process is in a user namespace that nest made: it is the job's alone.
func inNest(spec sandbox.Spec) (bool, error) {
	m, err := userMap()
	return m == fmt.Sprintf("%d 0 1", spec.UID), err
}

// userMap is /proc/self/uid_map, user_namespaces(7), with single blanks.
func userMap() (string, error) {
	b, err := os.ReadFile("/proc/self/uid_map")
	return strings.Join(strings.Fields(string(b)), " "), err
}

// tell releases the second stage.
func (c *child) tell(spec sandbox.Spec) error {
	return errors.Join(sandbox.WriteSpec(c.spec, spec), c.spec.Close())
}

// report reads what the second stage says until the pipe closes: by its exec, or by its end.
func (j *job) report(r io.Reader) error {
	d := json.NewDecoder(r)
	facts := false
	for {
		var x report
		switch err := d.Decode(&x); {
		case err == io.EOF && !facts:
			j.fail("start", "the second stage ended before it became the program")
			return nil
		case err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("read report: %w", err)
		}
		if x.Facts != nil {
			facts = true
			if err := j.stream.Facts(*x.Facts); err != nil {
				os.Exit(1) // nobody is there to be told
			}
		}
		if x.Fault != "" {
			facts = true
			j.fail(x.Fault, x.Detail)
		}
	}
}
