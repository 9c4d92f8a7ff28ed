// Package enginetest is what every engine is held to: one table of jobs and what has to become of them.
package enginetest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scangate/scangate/orchestrator/engine"
	"github.com/scangate/scangate/orchestrator/engine/sandbox"
)

// Program is where the image of the tests has the program that Build makes. It needs nothing else but /text, a file that
// is not executable, and /garbage, one that is but is no program.
const Program = "/villain"

// Build compiles the tests' program, static, for this machine's Linux.
func Build(file string) error {
	c := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", file,
		"github.com/scangate/scangate/orchestrator/engine/enginetest/villain")
	c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("build villain: %w: %s", err, out)
	}
	return nil
}

// Rootfs makes the root file system of the tests' image in dir, with the program that is in file.
func Rootfs(dir, file string) error {
	program, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	for _, d := range []string{"proc", "dev", "sys", "tmp", "etc", "workspace", sandbox.InitDir} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return err
		}
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "text"), []byte("text\n"), 0o644),
		os.WriteFile(filepath.Join(dir, "garbage"), []byte("\x00garbage\n"), 0o755),
		os.WriteFile(filepath.Join(dir, Program), program, 0o755))
}

// Subject is an engine to test. Cgroups says that it must hold limits by a cgroup; Visible, that the processes of its jobs
// are to be seen in this machine's /proc.
type Subject struct {
	Engine           engine.Engine
	Image            engine.Image
	Cgroups, Visible bool
}

// Job is an ordinary one: ten seconds, 256 MiB, an empty workspace.
func (s Subject) Job(command ...string) engine.Job {
	return engine.Job{
		Name: "villain", Image: s.Image, Command: command, Env: []string{"PATH=/", "GOMAXPROCS=2"}, Dir: "/",
		Limits: sandbox.Limits{CPU: 1, Memory: 256 << 20, Tmp: 4 << 20, Pids: 64, Timeout: 20 * time.Second,
			Stdout: 1 << 20, Stderr: 1 << 18},
		Require: sandbox.Require{Cgroups: s.Cgroups},
	}
}

// Run holds the engine to everything.
func Run(t *testing.T, s Subject) {
	ws := workspace(t)
	for _, x := range cases(s, ws) {
		t.Run(x.name, func(t *testing.T) {
			j := s.Job(append([]string{Program}, x.act...)...)
			j.Mounts = []engine.Mount{{Source: ws, Target: "/workspace"}}
			if x.job != nil {
				x.job(&j)
			}
			o, err := s.Engine.Run(t.Context(), j)
			if err != nil {
				t.Fatal(err)
			}
			if o.Fault != x.fault || x.fault == "" && o.Exit != x.exit || x.out != nil && string(o.Stdout) != *x.out {
				t.Fatalf("fault %q (%s), exit %d\nstdout %.300q\nstderr %.300q\nwant fault %q, exit %d", o.Fault, o.Detail, o.Exit, o.Stdout, o.Stderr, x.fault, x.exit)
			}
			if x.check != nil {
				x.check(t, o)
			}
		})
	}
	t.Run("nothing reaches a listener of the host", func(t *testing.T) { unreachable(t, s, ws) })
	t.Run("a cancelled job ends and leaves no process", func(t *testing.T) { cancelled(t, s) })
	t.Run("a job's processes end with it", func(t *testing.T) { leavesNothing(t, s) })
	t.Run("eight jobs at a time keep apart", func(t *testing.T) { parallel(t, s) })
}

// workspace is world-readable, as a view is.
func workspace(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		must(t, os.Chmod(d, 0o755))
	}
	must(t, os.Mkdir(filepath.Join(dir, "sub"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "sub", "code"), []byte("code\n"), 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "open"), []byte("open\n"), 0o644))
	must(t, os.Chmod(filepath.Join(dir, "open"), 0o666)) // that it may is not enough
	return dir
}

func unreachable(t *testing.T, s Subject, ws string) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer tcp.Close()
	all, err := net.Listen("tcp", "0.0.0.0:0")
	must(t, err)
	defer all.Close()
	unix, err := net.Listen("unix", filepath.Join(ws, "s"))
	must(t, err)
	defer unix.Close()
	must(t, os.Chmod(filepath.Join(ws, "s"), 0o777))
	j := s.Job(Program, "dial", "tcp", tcp.Addr().String(), "tcp", all.Addr().String(), "tcp", "192.0.2.1:80", "unix", "/workspace/s")
	j.Mounts = []engine.Mount{{Source: ws, Target: "/workspace"}}
	o, err := s.Engine.Run(t.Context(), j)
	must(t, err)
	if o.Fault != "" || string(o.Stdout) != "false\nfalse\nfalse\nfalse\n" {
		t.Fatalf("got %q %s, %q %q", o.Fault, o.Detail, o.Stdout, o.Stderr)
	}
}

func cancelled(t *testing.T, s Subject) {
	mark := rand.Text()
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := s.Engine.Run(ctx, s.Job(Program, "stubborn", mark))
		done <- err
	}()
	if s.Visible {
		until(t, func() bool { return len(marked(t, mark)) > 0 })
	}
	cancel(why)
	if err := <-done; !errors.Is(err, why) && !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if s.Visible {
		until(t, func() bool { return len(marked(t, mark)) == 0 })
	}
}

func leavesNothing(t *testing.T, s Subject) {
	mark := rand.Text()
	o, err := s.Engine.Run(t.Context(), s.Job(Program, "daemon", mark))
	must(t, err)
	if o.Fault != "" || o.Exit != 0 {
		t.Fatalf("got %q %s, exit %d", o.Fault, o.Detail, o.Exit)
	}
	if left := marked(t, mark); s.Visible && len(left) > 0 {
		t.Fatalf("left %q", left)
	}
}

func parallel(t *testing.T, s Subject) {
	type answer struct {
		want string
		o    engine.Outcome
		err  error
	}
	answers := make(chan answer)
	for i := range 8 {
		go func() {
			arg := fmt.Sprint("job ", i)
			o, err := s.Engine.Run(t.Context(), s.Job(Program, "args", arg))
			answers <- answer{fmt.Sprintf("[%q]", arg), o, err}
		}()
	}
	for range 8 {
		a := <-answers
		if a.err != nil || a.o.Fault != "" || string(a.o.Stdout) != a.want {
			t.Errorf("want %s, got %q, %q %s, %v", a.want, a.o.Stdout, a.o.Fault, a.o.Detail, a.err)
		}
	}
}

// marked are the processes with mark among their arguments.
func marked(t *testing.T, mark string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	must(t, err)
	var out []string
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil { // it ended meanwhile
			continue
		}
		if strings.Contains(string(b), mark) {
			out = append(out, f)
		}
	}
	return out
}

// until waits for what must come.
func until(t *testing.T, ok func() bool) {
	t.Helper()
	for range 1000 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("it did not come")
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
