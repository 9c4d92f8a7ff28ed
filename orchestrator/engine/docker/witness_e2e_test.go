//go:build e2e

package docker_test

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"

	"github.com/scangate/scangate/orchestrator/engine/docker"
)

// witness is another client of the daemon, of another library than the engine's.
func witness(t testing.TB) *testcontainers.DockerClient {
	t.Helper()
	w, err := testcontainers.NewDockerClientWithOpts(t.Context())
	must(t, err)
	t.Cleanup(func() { w.Close() })
	return w
}

// containers lists the ids of what the runs of one state folder have in the daemon.
func containers(t testing.TB, dir string, running bool) []string {
	t.Helper()
	owner, err := os.ReadFile(filepath.Join(dir, "owner"))
	if os.IsNotExist(err) {
		return nil
	}
	must(t, err)
	list, err := witness(t).ContainerList(t.Context(), client.ContainerListOptions{
		All: !running, Filters: client.Filters{}.Add("label", "scangate.owner="+string(owner)),
	})
	must(t, err)
	var ids []string
	for _, c := range list.Items {
		ids = append(ids, c.ID)
	}
	return ids
}

func await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("no %s within 5 s", what)
}

func writeFile(t testing.TB, path, body string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(body), 0o666))
	must(t, os.Chmod(path, 0o666))
	must(t, os.Chmod(filepath.Dir(path), 0o777))
}

func TestARunningJobsContainerIsTheSandboxThatWasAskedFor(t *testing.T) {
	dir := t.TempDir()
	e := open(t, docker.Options{Dir: dir})
	go e.Run(t.Context(), job(subject(t), "stubborn"))
	await(t, "running container", func() bool { return len(containers(t, dir, true)) == 1 })
	got, err := witness(t).ContainerInspect(t.Context(), containers(t, dir, true)[0], client.ContainerInspectOptions{})
	must(t, err)
	c, h := got.Container.Config, got.Container.HostConfig
	for _, x := range []struct {
		what string
		ok   bool
	}{
		{"no network", h.NetworkMode == "none"},
		{"a read-only root", h.ReadonlyRootfs},
		{"no capability", strings.Join(h.CapDrop, " ") == "ALL" && len(h.CapAdd) == 0 && !h.Privileged},
		{"no new privileges, and the daemon's own seccomp profile", strings.Join(h.SecurityOpt, " ") == "no-new-privileges"},
		{"memory without swap", h.Memory == 128<<20 && h.MemorySwap == h.Memory},
		{"tasks", h.PidsLimit != nil && *h.PidsLimit == 64+16},
		{"one core", h.NanoCPUs == 1e9},
		{"no log", h.LogConfig.Type == "none"},
		{"private ipc, pid, uts and user namespaces", h.IpcMode == "private" && h.PidMode == "" && h.UTSMode == "" && h.UsernsMode == ""},
		{"masked and read-only paths", len(h.MaskedPaths) > 5 && len(h.ReadonlyPaths) > 3},
		{"no group, device or volume", len(h.GroupAdd)+len(h.Devices)+len(h.Binds)+len(h.VolumesFrom)+len(c.Volumes) == 0},
		{"read-only mounts", len(h.Mounts) == 1 && h.Mounts[0].ReadOnly && len(got.Container.Mounts) == 1 && !got.Container.Mounts[0].RW},
		{"the numeric user", c.User == "65532:65532"},
		{"no health check", c.Healthcheck != nil && strings.Join(c.Healthcheck.Test, " ") == "NONE"},
		{"SIGKILL as stop signal", c.StopSignal == "SIGKILL"},
		{"stdin that closes with us", c.OpenStdin && c.StdinOnce && !c.Tty},
		{"an environment without a value", strings.Join(c.Env, " ") == "PATH= HOSTNAME= TERM= HOME= container= LD_PRELOAD= GODEBUG= SECRET="},
	} {
		if !x.ok {
			t.Errorf("not %s: %+v %+v", x.what, c, h)
		}
	}
}

func TestTheSameImageStartedPlainlyDoesWhatItsConfigurationSays(t *testing.T) {
	i := subject(t)
	_, err := open(t, docker.Options{}).Run(t.Context(), job(i, "exit", "0")) // it is loaded now
	must(t, err)
	c, err := testcontainers.Run(t.Context(), i.Config, testcontainers.WithWaitStrategy(wait.ForExit()))
	testcontainers.CleanupContainer(t, c)
	must(t, err)
	state, err := c.State(t.Context())
	must(t, err)
	if state.ExitCode != 97 {
		t.Fatalf("exit %d, want 97: the entrypoint of the image, which the engine must not run", state.ExitCode)
	}
}

// proxy stands between an engine and the daemon, and writes down what is asked.
type proxy struct {
	path string
	mu   sync.Mutex
	seen []string
}

func listen(t testing.TB) *proxy {
	t.Helper()
	p := &proxy{path: filepath.Join(t.TempDir(), "p.sock")}
	l, err := net.Listen("unix", p.path)
	must(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(c.(*net.UnixConn))
		}
	}()
	return p
}

var requestLine = regexp.MustCompile(`^(GET|HEAD|POST|PUT|DELETE) (\S+) HTTP/1\.1\r\n$`)

func (p *proxy) serve(c *net.UnixConn) {
	defer c.Close()
	d, err := net.Dial("unix", "/var/run/docker.sock")
	if err != nil {
		return
	}
	go func() {
		io.Copy(c, d)
		c.CloseWrite()
	}()
	io.Copy(d, io.TeeReader(c, &note{proxy: p}))
	d.(*net.UnixConn).CloseWrite()
}

// note finds the request lines in what one connection sends, before the daemon has it.
type note struct {
	*proxy
	line []byte
}

func (n *note) Write(b []byte) (int, error) {
	for _, x := range b {
		if n.line = append(n.line, x); x != '\n' {
			continue
		}
		if m := requestLine.FindSubmatch(n.line); m != nil {
			n.mu.Lock()
			n.seen = append(n.seen, string(m[1])+" "+string(m[2]))
			n.mu.Unlock()
		}
		n.line = n.line[:0]
	}
	return len(b), nil
}

func (p *proxy) requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.seen...)
}
