//go:build linux && (amd64 || arm64)

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/scangate/scangate/orchestrator/engine/sandbox"
)

// become is the second stage. It returns only where it could not become the program, and has then told PID 1 why.
func become() error {
	in, out := os.NewFile(specFD, "spec"), os.NewFile(reportFD, "report")
	spec, err := sandbox.ReadSpec(in)
	if err != nil {
		return err
	}
	say := json.NewEncoder(out)
	if err := confine(spec); err != nil {
		return errors.Join(err, say.Encode(report{Fault: "isolation", Detail: err.Error()}))
	}
	facts, err := collect()
	if err != nil {
		return errors.Join(err, say.Encode(report{Fault: "isolation", Detail: "collect facts: " + err.Error()}))
	}
	if err := say.Encode(report{Facts: &facts}); err != nil {
		return err
	}
	err = execute(spec)
	return errors.Join(err, say.Encode(report{Fault: "start", Detail: err.Error()}))
}

// confine gives up everything for good. Its order matters: capabilities are needed to give up capabilities, and the filter
// comes last.
func confine(spec sandbox.Spec) error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set no_new_privs: %w", err)
	}
	if err := dropCaps(); err != nil {
		return err
	}
	if err := setRlimits(spec); err != nil {
		return err
	}
	if err := dispose(sigDefault); err != nil {
		return err
	}
	unix.Umask(0o022)
	if err := unix.CloseRange(specFD, ^uint(0), unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return fmt.Errorf("close descriptors: %w", err)
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		return fmt.Errorf("install the seccomp filter: %w", errno)
	}
	return nil
}

func dropCaps() error {
	for c := uintptr(0); ; c++ {
		held, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, c, 0, 0, 0)
		if err == unix.EINVAL { // past the kernel's last one
			break
		}
		if err != nil {
			return fmt.Errorf("read capability %d: %w", c, err)
		}
		if held == 0 {
			continue
		}
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil {
			return fmt.Errorf("drop capability %d: %w", c, err)
		}
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("clear ambient capabilities: %w", err)
	}
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&head, &none[0]); err != nil {
		return fmt.Errorf("clear capabilities: %w", err)
	}
	return nil
}

func setRlimits(spec sandbox.Spec) error {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return fmt.Errorf("read limit nofile: %w", err)
	}
	type limit struct {
		name       string
		what       int
		soft, hard uint64
	}
	n := min(sandbox.NoFile, files.Max)
	limits := []limit{{"core", unix.RLIMIT_CORE, 0, 0}, {"nofile", unix.RLIMIT_NOFILE, n, n}}
	if spec.Rlimits {
		l := spec.Limits
		tasks, err := taskLimit(spec)
		if err != nil {
			return err
		}
		cpu := uint64((l.Timeout*time.Duration(max(l.CPU, 1)) + time.Second - 1) / time.Second)
		limits = append(limits,
			limit{"data", unix.RLIMIT_DATA, uint64(l.Memory), uint64(l.Memory)},
			limit{"nproc", unix.RLIMIT_NPROC, tasks, tasks},
			limit{"cpu", unix.RLIMIT_CPU, cpu, cpu + 1}) // SIGXCPU, a second later SIGKILL
	}
	for _, l := range limits {
		if err := syscall.Setrlimit(l.what, &syscall.Rlimit{Cur: l.soft, Max: l.hard}); err != nil {
			return fmt.Errorf("set limit %s to %d: %w", l.name, l.hard, err)
		}
	}
	return nil
}

// taskLimit is for RLIMIT_NPROC, by which the kernel counts a user's tasks in a user namespace: in one of its own the
// job's alone, else those of every job beside it, which must not starve each other.
func taskLimit(spec sandbox.Spec) (uint64, error) {
	alone, err := inNest(spec)
	if err != nil {
		return 0, err
	}
	if alone {
		return uint64(spec.Limits.Pids), nil
	}
	return uint64(spec.Limits.Pids) * sandbox.Sharing, nil
}

// execute becomes the program. A name without a slash is looked for in the PATH of the job's environment.
func execute(spec sandbox.Spec) error {
	if len(spec.Command) == 0 {
		return errors.New("the command is empty")
	}
	if err := os.Chdir(spec.Dir); err != nil {
		return err
	}
	name := spec.Command[0]
	if strings.Contains(name, "/") {
		return fmt.Errorf("exec %s: %w", name, syscall.Exec(name, spec.Command, spec.Env))
	}
	var path string
	for _, e := range spec.Env {
		if v, ok := strings.CutPrefix(e, "PATH="); ok {
			path = v
		}
	}
	for _, dir := range filepath.SplitList(path) {
		file := filepath.Join(dir, name)
		switch err := syscall.Exec(file, spec.Command, spec.Env); err {
		case syscall.ENOENT, syscall.ENOTDIR, syscall.EACCES:
		default:
			return fmt.Errorf("exec %s: %w", file, err)
		}
	}
	return fmt.Errorf("exec %s: not in PATH=%s", name, path)
}
