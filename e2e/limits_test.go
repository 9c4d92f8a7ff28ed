//go:build e2e && linux

package e2e

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/scangate/scangate/images"
)

// only holds a result with one scanner to a status and a reason.
func only(t *testing.T, r ran, status string, reasons ...string) {
	t.Helper()
	if r.exit != 3 {
		t.Fatalf("exit status %d, want 3: %s %s", r.exit, r.stdout, r.stderr)
	}
	d := decode(t, r.stdout)
	if d.Verdict != "incomplete" || len(d.Scanners) != 1 || d.Scanners[0].Status != status {
		t.Fatalf("result: %s", r.stdout)
	}
	for _, why := range d.Scanners[0].Reasons {
		if slices.Contains(reasons, why.Code) {
			return
		}
	}
	t.Errorf("reasons are %+v, want one of %v", d.Scanners[0].Reasons, reasons)
}

func TestLimitsOfThePolicyAreNeverClean(t *testing.T) {
	needRoot(t)
	bin, dir := command(t), badFolder(t)
	user := emptyHouse(t)
	user.ownImages(t, "gitleaks")
	userBin := copyFile(t, bin, filepath.Join(user.dir, "scangate"), 0o755)
	open := openFolder(t)
	write(t, open, map[string]string{"app.cfg": "token = \"" + token + "\"\n"}, nil)
	for _, c := range []struct {
		name, policy string
		user         bool
		reasons      []string
	}{
		{"a millisecond", "limits: {timeout: 1ms}\n", false, []string{"timeout"}},
		{"16 MiB of memory", "limits: {memory: 16MiB}\n", false, []string{"out-of-memory", "killed"}},
		{"one byte of output", "limits: {stdout: 1B}\n", false, []string{"output-limit"}},
		{"a millisecond, an ordinary user", "limits: {timeout: 1ms}\n", true, []string{"timeout"}},
		{"16 MiB of memory, an ordinary user", "limits: {memory: 16MiB}\n", true, []string{"out-of-memory", "killed", "unlisted-exit", "not-started"}},
		{"one byte of output, an ordinary user", "limits: {stdout: 1B}\n", true, []string{"output-limit"}},
		{"cgroups that an ordinary user has none of", "isolation: {cgroups: must}\n", true, []string{"isolation"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(user.dir, "policy.yaml")
			if err := os.WriteFile(file, []byte(c.policy), 0o644); err != nil {
				t.Fatal(err)
			}
			if c.user {
				run := program(t, user.dir, user.env(), userBin, "run", open, "--engine", "embedded", "--scanner", "gitleaks",
					"--policy", file, "--format", "json")
				only(t, await(t, user.asUser(t, run)), "broken", c.reasons...)
				return
			}
			for _, engine := range engines {
				h := newHouse(t)
				only(t, h.run(t, bin, engine, "gitleaks", dir, "--policy", file, "--format", "json"), "broken", c.reasons...)
			}
		})
	}
}

// layer is the file of an image's first layer in the house.
func (h house) layer(t *testing.T, name string) string {
	t.Helper()
	blobs := filepath.Join(h.cache, "scangate", "images", "blobs", "sha256")
	text, err := os.ReadFile(filepath.Join(blobs, strings.TrimPrefix(pin(t, name).Manifest, "sha256:")))
	if err != nil {
		t.Fatal(err)
	}
	var m struct{ Layers []struct{ Digest string } }
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(blobs, strings.TrimPrefix(m.Layers[0].Digest, "sha256:"))
}

func TestAnImageWithAnotherByteIsNeverRun(t *testing.T) {
	needRoot(t)
	bin, dir, h := command(t), cleanFolder(t), emptyHouse(t)
	h.ownImages(t, "shellcheck")
	file := h.layer(t, "shellcheck")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		at := rand.N(len(text))
		bent := bytes.Clone(text)
		bent[at] ^= 1
		if err := os.WriteFile(file, bent, 0o644); err != nil {
			t.Fatal(err)
		}
		r := h.run(t, bin, "embedded", "shellcheck", dir, "--format", "json")
		only(t, r, "broken", "engine", "image")
		check(t, r, 3, "digest mismatch: want sha256:"+filepath.Base(file)+", got sha256:")
		if dirs, _ := filepath.Glob(filepath.Join(h.cache, "scangate", "images", "rootfs", "[0-9a-f]*")); len(dirs) > 0 {
			t.Errorf("byte %d: unpacked %v", at, dirs)
		}
	}
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	check(t, h.run(t, bin, "embedded", "shellcheck", dir), 0)
}

func TestALockDecidesWhatRuns(t *testing.T) {
	bin, dir, h := command(t), cleanFolder(t), newHouse(t)
	lockWith := func(name string, edit func(images.Lock)) string {
		lock, err := images.Builtin()
		if err != nil {
			t.Fatal(err)
		}
		edit(lock)
		text, err := images.EncodeLock(lock)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(h.dir, name)
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
		return file
	}
	other := "sha256:" + strings.Repeat("0123456789abcdef", 4)
	bent := lockWith("bent.lock", func(l images.Lock) {
		p := l.Images["shellcheck"].Platforms["linux/amd64"]
		p.Manifest = other
		l.Images["shellcheck"].Platforms["linux/amd64"] = p
	})
	without := lockWith("without.lock", func(l images.Lock) { delete(l.Images, "shellcheck") })
	required := filepath.Join(h.dir, "required.yaml")
	if err := os.WriteFile(required, []byte("scanners: {shellcheck: {required: true}}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, engine := range engines {
		r := h.run(t, bin, engine, "shellcheck", dir, "--lock", bent, "--format", "json")
		only(t, r, "broken", "image")
		check(t, r, 3, "digest mismatch: want "+other+", got "+pin(t, "shellcheck").Manifest)
		only(t, h.run(t, bin, engine, "shellcheck", dir, "--lock", without, "--format", "json"), "notConfigured", "not-locked")
		// Beside one that looks, its absence is shown, and is incomplete only where the policy requires it.
		for policy, exit := range map[string]int{"": 0, required: 3} {
			args := []string{"run", dir, "--engine", engine, "--lock", without, "--format", "json"}
			if policy != "" {
				args = append(args, "--policy", policy)
			}
			r := runIn(t, h.dir, h.env(), bin, args...)
			check(t, r, exit)
			if !bytes.Contains(r.stdout, []byte(`"name":"shellcheck"`)) || !bytes.Contains(r.stdout, []byte(`"status":"notConfigured"`)) {
				t.Errorf("shellcheck is not listed: %s", r.stdout)
			}
		}
	}
}

// TestAContainerWithoutAnyEngine runs this repository's own image as an ordinary container, without a network.
func TestAContainerWithoutAnyEngine(t *testing.T) {
	needRoot(t)
	const tag = "scangate-e2e-without-engine"
	daemon(t, "POST", "/build?"+url.Values{"t": {tag}, "rm": {"1"}, "forcerm": {"1"}}.Encode(), buildContext(t))
	t.Cleanup(func() { daemon(t, "DELETE", "/images/"+tag+"?force=1", nil) })
	dir := cleanFolder(t)
	for _, c := range []struct {
		name, command string
		tmpfs         bool
		say           []string
	}{
		{"the doctor", "doctor", true, []string{"docker    no: ", "/var/run/docker.sock", "embedded  no: ", "operation not permitted", "to do: ", "no engine works"}},
		{"the doctor without a folder to write", "doctor", false, []string{"cache     no: ", "docker    no: ", "embedded  no: ", "XDG_CACHE_HOME", "no engine works"}},
		{"a run", "run", true, []string{"scangate: no engine to run scanners with: docker: ", "; embedded: ", `hint: "scangate doctor"`}},
		{"a run without a folder to write", "run", false, []string{"scangate: make cache folder: ", "hint: set XDG_CACHE_HOME"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			host := map[string]any{"NetworkMode": "none", "Binds": []string{dir + ":/workspace:ro"}}
			if c.tmpfs {
				host["Tmpfs"] = map[string]string{"/tmp": "mode=1777"}
			}
			spec, err := json.Marshal(map[string]any{"Image": tag, "Cmd": []string{c.command}, "Tty": true, "HostConfig": host})
			if err != nil {
				t.Fatal(err)
			}
			var made struct{ ID string }
			if err := json.Unmarshal(daemon(t, "POST", "/containers/create", bytes.NewReader(spec)), &made); err != nil {
				t.Fatal(err)
			}
			defer daemon(t, "DELETE", "/containers/"+made.ID+"?force=1&v=1", nil)
			daemon(t, "POST", "/containers/"+made.ID+"/start", nil)
			var end struct{ StatusCode int }
			if err := json.Unmarshal(daemon(t, "POST", "/containers/"+made.ID+"/wait", nil), &end); err != nil {
				t.Fatal(err)
			}
			said := string(daemon(t, "GET", "/containers/"+made.ID+"/logs?stdout=1&stderr=1", nil))
			if end.StatusCode != 2 {
				t.Errorf("exit status %d, want 2", end.StatusCode)
			}
			for _, want := range c.say {
				if !strings.Contains(said, want) {
					t.Errorf("it does not say %q: %s", want, said)
				}
			}
		})
	}
}

// buildContext is the repository's Dockerfile and the command under test.
func buildContext(t *testing.T) io.Reader {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, from := range map[string]string{"Dockerfile": filepath.Join("..", "Dockerfile"), "bin/scangate": command(t)} {
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}

// TestTenThousandFilesTakeLittleMemory holds the command itself, without its containers, to under 100 MB.
func TestTenThousandFilesTakeLittleMemory(t *testing.T) {
	bin, dir, h := command(t), t.TempDir(), newHouse(t)
	for i := range 10_000 {
		at := filepath.Join(dir, fmt.Sprint("d", i%100))
		if i < 100 {
			if err := os.Mkdir(at, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(at, fmt.Sprint("f", i, ".txt")), fmt.Appendf(nil, "line %d of a file\n", i), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c := program(t, h.dir, h.env(), bin, "run", dir, "--engine", "embedded", "--scanner", "gitleaks")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	peak := 0
	for {
		select {
		case err := <-ended:
			if err != nil && !errors.Is(err, os.ErrProcessDone) || peak == 0 {
				t.Fatalf("the run ended with %v; peak %d", err, peak)
			}
			t.Logf("peak resident set: %d MB", peak>>10)
			if peak > 100<<10 {
				t.Errorf("%d MB are too many", peak>>10)
			}
			return
		case <-time.After(5 * time.Millisecond):
			status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.Process.Pid))
			for line := range strings.Lines(string(status)) {
				if kb, ok := strings.CutPrefix(line, "VmHWM:"); ok { // proc(5): the peak of this process alone, in kB
					n, _ := strconv.Atoi(strings.Fields(kb)[0])
					peak = max(peak, n)
				}
			}
		}
	}
}
