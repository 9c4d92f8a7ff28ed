//go:build e2e

package docker_test

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/scangate/scangate/orchestrator/engine"
	"github.com/scangate/scangate/orchestrator/engine/docker"
	"github.com/scangate/scangate/orchestrator/engine/enginetest"
	"github.com/scangate/scangate/orchestrator/engine/sandbox"
)

const arch = runtime.GOARCH

var (
	base   []byte // the one layer of the tests' images
	images = shelf{}
	// nonce makes the images new to the daemon in every run of the tests; the process that is killed has its parent's.
	nonce = cmp.Or(os.Getenv(nonceVar), strconv.FormatInt(time.Now().UnixNano(), 36))
)

func TestMain(m *testing.M) {
	if os.Getenv("SCANGATE_E2E") != "1" {
		fmt.Fprintln(os.Stderr, "the e2e tests need SCANGATE_E2E=1 and a Docker engine")
		os.Exit(1)
	}
	dir, err := os.MkdirTemp("", "subject-")
	if err != nil {
		panic(err)
	}
	if base, err = rootfs(dir); err != nil {
		panic(err)
	}
	code := run(m)
	if err := os.RemoveAll(dir); err != nil {
		panic(err)
	}
	os.Exit(code)
}

func run(m *testing.M) int {
	if os.Getenv(parentVar) != "" {
		return parent()
	}
	defer images.forget()
	return m.Run()
}

// subject is an image whose every configuration field would change the job if it were not overridden.
func subject(t testing.TB) engine.Image {
	t.Helper()
	img, err := imageOf(base, v1.Config{
		Entrypoint: []string{enginetest.Program, "exit", "97"}, Cmd: []string{enginetest.Program, "exit", "98"}, User: "scanner",
		Env:        []string{"LD_PRELOAD=/evil.so", "PATH=/evil", "GODEBUG=inittrace=1", "SECRET=image"},
		WorkingDir: "/open", StopSignal: "SIGCONT", Labels: map[string]string{"scangate.owner": "somebody", "nonce": nonce},
		ExposedPorts: map[string]struct{}{"80/tcp": {}}, OnBuild: []string{"RUN evil"}, Shell: []string{"/evil"},
		Healthcheck: &v1.HealthConfig{Test: []string{"CMD", enginetest.Program, "exit", "1"}, Interval: time.Second},
	})
	must(t, err)
	return images.add(t, "subject", img)
}

func initProgram(t testing.TB) []byte {
	t.Helper()
	b, err := sandbox.Init(arch)
	must(t, err)
	return b
}

func open(t testing.TB, o docker.Options) engine.Engine {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	o.Init, o.Archive = initProgram(t), images.archive
	e, err := docker.New(t.Context(), o)
	must(t, err)
	t.Cleanup(func() { must(t, e.Close()) })
	return e
}

func job(i engine.Image, command ...string) engine.Job {
	return engine.Job{
		Name: "subject", Image: i, Command: append([]string{enginetest.Program}, command...), Env: []string{"A=1", "B="}, Dir: "/tmp",
		Limits: sandbox.Limits{
			CPU: 1, Memory: 128 << 20, Tmp: 8 << 20, Pids: 64, Timeout: 30 * time.Second, Stdout: 1 << 20, Stderr: 1 << 16,
		},
		Require: sandbox.Require{Cgroups: true},
	}
}

func TestEveryFieldOfTheImagesConfigurationIsOverridden(t *testing.T) {
	e, i := open(t, docker.Options{}), subject(t)
	for _, c := range []struct {
		name    string
		command []string
		stdout  string
	}{
		{"neither entrypoint nor command runs", []string{"args", "ran"}, `["ran"]`},
		{"the environment is the job's and nothing else", []string{"env"}, "A=1\nB="},
		{"nothing but scratch is writable", []string{"create", "/x", "/open/x", "/open/file", "/etc/passwd", "/etc/hosts", "/etc/hostname",
			"/etc/resolv.conf", "/.scangate/init", "/.scangate/x", "/dev/x", "/proc/sys/kernel/hostname", "/sys/x", "/sys/fs/cgroup/x", "/tmp/x"}, "/tmp/x\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, err := e.Run(t.Context(), job(i, c.command...))
			must(t, err)
			if o.Fault != "" || o.Exit != 0 || string(o.Stdout) != c.stdout {
				t.Fatalf("got %+v\nstdout %q\nstderr %q", o, o.Stdout, o.Stderr)
			}
		})
	}
}

func TestTheEngineIsHeldToTheTable(t *testing.T) {
	enginetest.Run(t, enginetest.Subject{Engine: open(t, docker.Options{}), Image: subject(t), Cgroups: true, Visible: true})
}

func TestNoOutOfMemoryKillIsMissedOnABusyMachine(t *testing.T) {
	e, i := open(t, docker.Options{}), subject(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 4 {
				o, err := e.Run(t.Context(), job(i, "child", "eat", "1000"))
				if err != nil || o.Fault != engine.Memory {
					t.Errorf("fault %q (%s), exit %d, %v", o.Fault, o.Detail, o.Exit, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestAnImageThatIsNotTheLockedOneIsRefused(t *testing.T) {
	good := subject(t)
	img, err := imageOf(base, v1.Config{Labels: map[string]string{"nonce": nonce}, Volumes: map[string]struct{}{"/data": {}}})
	must(t, err)
	volume := images.add(t, "volume", img)
	other, err := imageOf(base, v1.Config{Env: []string{"OTHER=" + nonce}})
	must(t, err)
	wrong := good
	wrong.Name, wrong.Config, wrong.Manifest = "wrong", "sha256:"+strings.Repeat("1", 64), "sha256:"+strings.Repeat("2", 64)
	images[wrong.Config] = other
	got, err := other.ConfigName()
	must(t, err)
	absent := wrong
	absent.Config = "sha256:" + strings.Repeat("3", 64)
	for _, c := range []struct {
		name  string
		image engine.Image
		want  []string
	}{
		{"a VOLUME stays writable under a read-only root", volume, []string{"image volume", "VOLUME /data"}},
		{"an archive with other bytes", wrong, []string{"digest mismatch", "want config " + wrong.Config, "got " + got.String()}},
		{"no archive either", absent, []string{"open archive: no image " + absent.Config}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := open(t, docker.Options{}).Run(t.Context(), job(c.image, "exit", "0"))
			for _, w := range c.want {
				if err == nil || !strings.Contains(err.Error(), w) {
					t.Errorf("error %v, want it to say %q", err, w)
				}
			}
		})
	}
}

func TestALoadedImageIsNotLoadedAgain(t *testing.T) {
	i := subject(t)
	_, err := open(t, docker.Options{}).Run(t.Context(), job(i, "exit", "0"))
	must(t, err)
	e, err := docker.New(t.Context(), docker.Options{Dir: t.TempDir(), Init: initProgram(t)})
	must(t, err)
	defer e.Close()
	if o, err := e.Run(t.Context(), job(i, "exit", "7")); err != nil || o.Exit != 7 || o.Fault != "" {
		t.Fatalf("%+v, %v", o, err)
	}
}

func TestNeitherTheArchiveNorTheExecAPIIsUsed(t *testing.T) {
	p := listen(t)
	e := open(t, docker.Options{Host: "unix://" + p.path})
	o, err := e.Run(t.Context(), job(subject(t), "say", "3", "4"))
	must(t, err)
	if string(o.Stdout) != "ooo" || string(o.Stderr) != "eeee" {
		t.Fatalf("got %+v", o)
	}
	must(t, e.Sweep(t.Context()))
	var order []string
	for _, r := range p.requests() {
		if strings.Contains(r, "/archive") || strings.Contains(r, "/exec") || strings.Contains(r, "/copy") {
			t.Errorf("forbidden request %s", r)
		}
		for _, step := range []string{"/create", "/attach", "/wait", "/start", "DELETE"} {
			if strings.Contains(r, step) {
				order = append(order, step)
			}
		}
	}
	if got := strings.Join(order, " "); got != "/create /attach /wait /start DELETE" {
		t.Errorf("the steps came as %s", got)
	}
}

func TestAStrictUmaskDoesNotKeepTheJobsUserOut(t *testing.T) {
	old := syscall.Umask(0o077)
	e := open(t, docker.Options{Dir: filepath.Join(t.TempDir(), "state")})
	syscall.Umask(old)
	if o, err := e.Run(t.Context(), job(subject(t), "exit", "4")); err != nil || o.Fault != "" || o.Exit != 4 {
		t.Fatalf("%+v, %v", o, err)
	}
}

func TestCancellingEndsTheJobAndRemovesItsContainer(t *testing.T) {
	dir := t.TempDir()
	e := open(t, docker.Options{Dir: dir})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := e.Run(ctx, job(subject(t), "stubborn"))
		done <- err
	}()
	await(t, "a running container", func() bool { return len(containers(t, dir, true)) == 1 })
	cancel()
	if err := <-done; err != context.Canceled {
		t.Fatalf("Run gave %v, want the context's error", err)
	}
	if left := containers(t, dir, false); len(left) != 0 {
		t.Fatalf("left behind: %v", left)
	}
}

func TestAFolderIsReadOnlyAndWhatIsMountedBelowItToo(t *testing.T) {
	e, dir := open(t, docker.Options{}), t.TempDir()
	for path, body := range map[string]string{"view/a": "alpha", "view/deep/here": "", "data/b": "beta"} {
		writeFile(t, dir+"/"+path, body)
	}
	j := job(subject(t), "create", "/workspace/a", "/workspace/x", "/workspace/deep/x", "/workspace/deep/b")
	j.Mounts = []engine.Mount{{Source: dir + "/view", Target: "/workspace"}, {Source: dir + "/data", Target: "/workspace/deep"}}
	o, err := e.Run(t.Context(), j)
	must(t, err)
	if o.Fault != "" || len(o.Stdout) != 0 {
		t.Errorf("writable: %q, %+v", o.Stdout, o)
	}
	j.Command = []string{enginetest.Program, "cat", "/workspace/deep/b"}
	if o, err = e.Run(t.Context(), j); err != nil || string(o.Stdout) != "beta" {
		t.Errorf("read %q, %+v, %v", o.Stdout, o, err)
	}
	j.Mounts = []engine.Mount{{Source: dir + "/nothing", Target: "/workspace"}}
	if o, err := e.Run(t.Context(), j); err == nil {
		t.Errorf("a folder that is not there was mounted: %+v", o)
	}
}

func TestTheDoctorSeesTheEngine(t *testing.T) {
	r, err := docker.Check(t.Context(), "")
	must(t, err)
	if r.Host == "" || r.Version == "" || r.API < "1.41" || !r.Limits {
		t.Fatalf("%+v", r)
	}
	l, err := net.Listen("unix", t.TempDir()+"/none.sock")
	must(t, err)
	l.Close()
	if _, err := docker.Check(t.Context(), "unix://"+l.Addr().String()); err == nil || !strings.Contains(err.Error(), "no Docker-compatible engine answers") {
		t.Fatalf("a closed socket gave %v", err)
	}
}
