//go:build e2e && linux && cgo

package embedded

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/scangate/scangate/orchestrator/engine"
	"github.com/scangate/scangate/orchestrator/engine/enginetest"
	"github.com/scangate/scangate/orchestrator/engine/sandbox"
	"github.com/scangate/scangate/pkg/lease"
)

// ordinary is a user of the host who is nobody and owns nothing.
const ordinary = 12345

// The tests are for whoever runs them; root runs them once more as an ordinary user.
func TestEmbeddedEngine(t *testing.T) {
	e, image := subject(t)
	enginetest.Run(t, enginetest.Subject{Engine: e, Image: image, Cgroups: e.cgroups, Visible: true})
}

func TestEmbeddedEngineWithoutCgroups(t *testing.T) {
	e, image := subject(t)
	e.cgroups = false // as where tryCgroup failed; an ordinary user has none anyway
	enginetest.Run(t, enginetest.Subject{Engine: e, Image: image, Visible: true})
}

func TestEmbeddedEngineOfAnOrdinaryUser(t *testing.T) {
	if os.Geteuid() != 0 {
		return // all the tests run as one
	}
	c := asOrdinary(t, "-test.run=^Test", "-test.v")
	out, err := c.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestEmbeddedEngine ") {
		t.Fatalf("%v\n%s", err, out)
	}
}

// asOrdinary runs this program as somebody else, who has neither groups nor a home.
func asOrdinary(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	dir, err := os.MkdirTemp("", "ordinary-")
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	must(t, os.Chown(dir, ordinary, ordinary))
	self, err := os.Executable()
	must(t, err)
	program := filepath.Join(dir, "test")
	b, err := os.ReadFile(self)
	must(t, err)
	must(t, os.WriteFile(program, b, 0o755))
	c := exec.Command(program, args...)
	c.Dir = dir
	c.Env = []string{"TMPDIR=" + dir, "SCANGATE_E2E=1", "VILLAIN=" + villain(t), "PATH=/usr/bin:/bin"}
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: ordinary, Gid: ordinary}}
	return c
}

func TestAJobLeavesTheProcessInItsOwnNamespaces(t *testing.T) {
	e, image := subject(t)
	s := enginetest.Subject{Engine: e, Image: image}
	before, err := os.Readlink("/proc/self/ns/mnt")
	must(t, err)
	// Which threads the library's goroutines get is chance; with so many, the main one would be among them.
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 30 {
				if _, err := e.Run(t.Context(), s.Job(enginetest.Program, "exit", "0")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	after, err := os.Readlink("/proc/self/ns/mnt")
	must(t, err)
	if after != before {
		t.Fatalf("the mount namespace was %s and is %s", before, after)
	}
}

// parentVar makes the test's program a parent to be killed: it runs jobs below the folder it names for ever.
const parentVar = "SCANGATE_TEST_PARENT"

func TestMain(m *testing.M) {
	if os.Getenv("SCANGATE_E2E") != "1" {
		fmt.Fprintln(os.Stderr, "the e2e tests need SCANGATE_E2E=1")
		os.Exit(1)
	}
	if dir := os.Getenv(parentVar); dir != "" {
		fmt.Fprintln(os.Stderr, parent(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// parent has four jobs running at any time.
func parent(dir string) error {
	e, err := open(options(filepath.Join(dir, "state"), filepath.Join(dir, "rootfs")))
	if err != nil {
		return err
	}
	mark := os.Getenv("MARK")
	s := enginetest.Subject{Engine: e}
	failed := make(chan error)
	for i := range 4 {
		go func() {
			for {
				if _, err := e.Run(context.Background(), s.Job(enginetest.Program, []string{"exit", "daemon", "stubborn", "bomb"}[i], "40", mark)); err != nil {
					failed <- err
				}
			}
		}()
	}
	return <-failed
}

func TestAKilledParentLeavesNoProcess(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "rootfs"), 0o755))
	must(t, enginetest.Rootfs(filepath.Join(dir, "rootfs"), villain(t)))
	mark := rand.Text()
	for i := range 40 {
		c := exec.Command("/proc/self/exe")
		c.Args[0] = mark // libcontainer hands it on to its own processes
		c.Env = append(os.Environ(), parentVar+"="+dir, "MARK="+mark)
		var stderr strings.Builder
		c.Stderr = &stderr
		must(t, c.Start())
		// A different moment each time: from before the first container to well into many.
		time.Sleep(time.Duration(i*i) * time.Millisecond / 3)
		must(t, c.Process.Kill())
		_ = c.Wait()
		if stderr.Len() > 0 {
			t.Fatal(stderr.String())
		}
		gone(t, mark, dir)
	}
	runs := filepath.Join(dir, "state", "runs")
	ids, err := lease.Names(runs)
	must(t, err)
	if len(ids) < 20 {
		t.Fatalf("only %d runs have left a lease", len(ids))
	}
	e, err := open(options(filepath.Join(dir, "state"), ""))
	must(t, err)
	must(t, e.Sweep(t.Context()))
	must(t, e.Close())
	left, err := os.ReadDir(runs)
	must(t, err)
	for _, id := range ids {
		cgroups, err := filepath.Glob("/sys/fs/cgroup/*/scangate/" + id + "*")
		must(t, err)
		if len(left) > 0 || len(cgroups) > 0 {
			t.Fatalf("left %v and %v", left, cgroups)
		}
	}
}

// gone waits until no process is left that has mark among its arguments or dir among its mounts, as every init has whose
// engine keeps its state there. They were all killed, which takes the kernel a moment.
func gone(t *testing.T, mark, dir string) {
	t.Helper()
	var left []string
	for range 300 {
		left = nil
		procs, err := filepath.Glob("/proc/[0-9]*")
		must(t, err)
		for _, p := range procs {
			args, _ := os.ReadFile(p + "/cmdline") // it may have ended meanwhile
			mounts, _ := os.ReadFile(p + "/mountinfo")
			if strings.Contains(string(args), mark) || strings.Contains(string(mounts), dir+"/state") {
				left = append(left, fmt.Sprintf("%s %q", p, args))
			}
		}
		if len(left) == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("left: %v", left)
}

func TestASweepLeavesTheLivingAlone(t *testing.T) {
	e, _ := subject(t)
	root := filepath.Dir(e.runs)
	other, err := open(options(root, ""))
	must(t, err)
	must(t, e.Sweep(t.Context()))
	if _, err := os.Stat(filepath.Join(e.runs, other.run)); err != nil {
		t.Fatal(err)
	}
	must(t, other.lease.Drop()) // as its death would
	must(t, e.Sweep(t.Context()))
	if _, err := os.Stat(filepath.Join(e.runs, other.run)); !os.IsNotExist(err) {
		t.Fatalf("still there: %v", err)
	}
	if _, err := os.Stat(filepath.Join(e.runs, e.run)); err != nil {
		t.Fatal(err)
	}
}

func TestPlacesThatCannotBeMountedAt(t *testing.T) {
	e, image := subject(t)
	for _, m := range []engine.Mount{
		{Source: "relative", Target: "/workspace"}, {Source: "/", Target: "workspace"}, {Source: "/", Target: "/"},
		{Source: "/", Target: "/a/../b"}, {Source: "/", Target: sandbox.InitDir}, {Source: "/", Target: sandbox.InitPath},
	} {
		j := enginetest.Subject{Image: image}.Job(enginetest.Program, "exit", "0")
		j.Mounts = []engine.Mount{m}
		if o, err := e.Run(t.Context(), j); err == nil {
			t.Errorf("%+v: got %+v", m, o)
		}
	}
}

func TestCheckSaysWhatTheEngineCanDo(t *testing.T) {
	c, err := Check(t.Context(), options(t.TempDir(), ""))
	must(t, err)
	if c.Rootless != (os.Geteuid() != 0) || c.Kernel == "" || c.Cgroups == (c.NoCgroup != "") {
		t.Fatalf("got %+v", c)
	}
}

func BenchmarkJob(b *testing.B) {
	e, image := subject(b)
	j := enginetest.Subject{Image: image}.Job(enginetest.Program, "exit", "0")
	for b.Loop() {
		if _, err := e.Run(b.Context(), j); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBareProcess(b *testing.B) {
	program := villain(b)
	for b.Loop() {
		if err := exec.Command(program, "exit", "0").Run(); err != nil {
			b.Fatal(err)
		}
	}
}

func subject(t testing.TB) (*embedded, engine.Image) {
	t.Helper()
	rootfs := t.TempDir()
	must(t, enginetest.Rootfs(rootfs, villain(t)))
	e, err := open(options(t.TempDir(), rootfs))
	must(t, err)
	t.Cleanup(func() { must(t, e.Close()) })
	return e, engine.Image{Name: "villain"}
}

func options(root, rootfs string) Options {
	program, err := sandbox.Init(runtime.GOARCH)
	if err != nil {
		panic(err)
	}
	return Options{Root: root, Init: program, Rootfs: func(context.Context, engine.Image) (string, error) { return rootfs, nil }}
}

// villain is the tests' program, built once; an ordinary user is handed it.
func villain(t testing.TB) string {
	t.Helper()
	if file := os.Getenv("VILLAIN"); file != "" {
		return file
	}
	dir, err := os.MkdirTemp("", "villain-")
	must(t, err)
	must(t, os.Chmod(dir, 0o755))
	file := filepath.Join(dir, "villain")
	must(t, enginetest.Build(file))
	must(t, os.Setenv("VILLAIN", file))
	return file
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
