//go:build e2e && linux

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/scangate/scangate/images"
	"github.com/scangate/scangate/images/store"
)

var engines = []string{"docker", "embedded"}

// house is a cache and a state of a test's own: what is left in it was left by that test's runs.
type house struct{ dir, cache, state string }

// newHouse shares root's images, unpacked or not, by a link.
func newHouse(t *testing.T) house {
	t.Helper()
	h := emptyHouse(t)
	for _, name := range []string{"images", "fetched"} {
		if err := os.Symlink(filepath.Join(filepath.Dir(imageStore(t)), name), filepath.Join(h.cache, "scangate", name)); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

func emptyHouse(t *testing.T) house {
	t.Helper()
	dir, err := os.MkdirTemp("", "house-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	h := house{dir, filepath.Join(dir, "cache"), filepath.Join(dir, "state")}
	if err := os.MkdirAll(filepath.Join(h.cache, "scangate"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h house) env() []string {
	return []string{"HOME=" + h.dir, "XDG_CACHE_HOME=" + h.cache, "XDG_STATE_HOME=" + h.state}
}

// run runs one scanner of the command over dir.
func (h house) run(t *testing.T, bin, engine, scanner, dir string, args ...string) ran {
	t.Helper()
	args = append([]string{"run", dir, "--engine", engine, "--scanner", scanner}, args...)
	return runIn(t, h.dir, h.env(), bin, args...)
}

// ownImages copies images out of root's store, as blobs: nothing of them is unpacked.
func (h house) ownImages(t *testing.T, names ...string) {
	t.Helper()
	from, err := store.Open(imageStore(t))
	if err != nil {
		t.Fatal(err)
	}
	to, err := store.Open(filepath.Join(h.cache, "scangate", "images"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		image, err := from.Image(pin(t, name))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := to.Put(t.Context(), image); err != nil {
			t.Fatal(err)
		}
	}
}

func pin(t *testing.T, name string) images.Pin {
	t.Helper()
	lock, err := images.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	p, err := lock.Pin(name, "linux/amd64")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// running lists the processes of the house's runs: the command, which has its folders in its environment, and the
// containers' processes, into which the run's folder is mounted.
func (h house) running() []string {
	var out []string
	all, _ := filepath.Glob("/proc/[0-9]*")
	for _, p := range all {
		env, _ := os.ReadFile(filepath.Join(p, "environ"))
		mounts, _ := os.ReadFile(filepath.Join(p, "mountinfo"))
		if name := filepath.Base(h.dir); strings.Contains(string(env), name) || strings.Contains(string(mounts), name) {
			line, _ := os.ReadFile(filepath.Join(p, "cmdline"))
			out = append(out, filepath.Base(p)+" "+strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return out
}

// inside is how many of them are in a container.
func (h house) inside() int {
	n := 0
	for _, line := range h.running() {
		pid, _, _ := strings.Cut(line, " ")
		mounts, _ := os.ReadFile(filepath.Join("/proc", pid, "mountinfo"))
		if strings.Contains(string(mounts), filepath.Base(h.dir)) {
			n++
		}
	}
	return n
}

// containers lists those that the house's runs made, in any state or running.
func (h house) containers(t *testing.T, any bool) []string {
	t.Helper()
	owner, err := os.ReadFile(filepath.Join(h.state, "scangate", "docker", "owner"))
	if os.IsNotExist(err) {
		return nil
	} else if err != nil {
		t.Fatal(err)
	}
	var list []struct{ ID, State string }
	q := url.Values{"filters": {`{"label":["scangate.owner=` + string(owner) + `"]}`}, "all": {strconv.FormatBool(any)}}
	if err := json.Unmarshal(daemon(t, "GET", "/containers/json?"+q.Encode(), nil), &list); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, c := range list {
		out = append(out, fmt.Sprintf("container %.12s %s", c.ID, c.State))
	}
	return out
}

// leases are the ids of runs on the embedded engine.
func (h house) leases() []string {
	files, _ := filepath.Glob(filepath.Join(h.state, "scangate", "embedded", "runs", "*.lease"))
	var ids []string
	for _, f := range files {
		ids = append(ids, strings.TrimSuffix(filepath.Base(f), ".lease"))
	}
	return ids
}

// left is all that runs have left behind, but for what they keep on purpose.
func (h house) left(t *testing.T, leases []string) []string {
	t.Helper()
	out := append(h.running(), h.containers(t, true)...)
	for _, glob := range []string{h.cache + "/scangate/runs/*", h.state + "/scangate/embedded/runs/*", h.state + "/scangate/docker/*.lease"} {
		found, _ := filepath.Glob(glob)
		out = append(out, found...)
	}
	for _, id := range leases {
		for _, glob := range []string{"/sys/fs/cgroup/*/scangate/", "/sys/fs/cgroup/scangate/"} {
			found, _ := filepath.Glob(glob + id + "*")
			out = append(out, found...)
		}
	}
	return out
}

// soon waits for what has to come within seconds; the bound is wide, for a busy machine.
func soon(t *testing.T, what string, left func() []string) {
	t.Helper()
	var now []string
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if now = left(); len(now) == 0 {
			return
		}
	}
	t.Fatalf("%s: %s", what, strings.Join(now, "; "))
}

// daemon asks the Docker engine, over its usual socket.
func daemon(t *testing.T, method, path string, body io.Reader) []byte {
	t.Helper()
	c := http.Client{Timeout: 2 * time.Minute, Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", "/var/run/docker.sock")
		}}}
	r, err := http.NewRequest(method, "http://docker"+path, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if strings.HasPrefix(path, "/build") {
		r.Header.Set("Content-Type", "application/x-tar")
	}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatalf("ask the Docker engine: %v", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		t.Fatalf("%s %s: %s %s %v", method, path, resp.Status, text, err)
	}
	return text
}

// asUser makes the program an ordinary user's, who owns the house.
func (h house) asUser(t *testing.T, c *exec.Cmd) *exec.Cmd {
	t.Helper()
	give(t, h.dir)
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: someone, Gid: someone}}
	return c
}

// check holds a run to its exit status and, in lower case, what stderr has to say.
func check(t *testing.T, r ran, exit int, say ...string) {
	t.Helper()
	if r.exit != exit {
		t.Errorf("exit status %d, want %d", r.exit, exit)
	}
	for _, s := range say {
		if !strings.Contains(strings.ToLower(string(r.stderr)), s) {
			t.Errorf("stderr does not say %q", s)
		}
	}
	if exit == 2 || exit == 130 {
		if len(r.stdout) > 0 {
			t.Errorf("a report was printed: %s", r.stdout)
		}
		lines := strings.Split(strings.TrimSpace(string(r.stderr)), "\n")
		if len(lines) > 2 || !strings.HasPrefix(lines[0], "scangate: ") || len(lines) == 2 && !strings.HasPrefix(lines[1], "hint: ") {
			t.Error("want one line on stderr, and at most a hint")
		}
	}
	if t.Failed() {
		t.Logf("stdout: %s\nstderr: %s", r.stdout, r.stderr)
	}
}
