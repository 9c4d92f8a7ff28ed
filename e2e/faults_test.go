//go:build e2e && linux

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Workspaces: one with nothing to find, one with a finding that fails, one over which ShellCheck takes seconds.
func cleanFolder(t *testing.T) string {
	dir := t.TempDir()
	write(t, dir, map[string]string{"ok.sh": "#!/bin/sh\nrm -rf \"$1\"\n"}, nil)
	return dir
}

func badFolder(t *testing.T) string {
	dir := t.TempDir()
	write(t, dir, map[string]string{"app.cfg": "token = \"" + token + "\"\n"}, nil)
	return dir
}

func slowFolder(t *testing.T) string {
	dir := t.TempDir()
	text := strings.Builder{}
	text.WriteString("#!/bin/sh\n")
	for i := range 6000 {
		fmt.Fprintf(&text, "if [ $a%d = \"$b\" ]; then echo $c%d; fi\n", i, i)
	}
	write(t, dir, map[string]string{"slow.sh": text.String()}, nil)
	return dir
}

func TestASignalEndsAScanAndLeavesNothing(t *testing.T) {
	needRoot(t)
	bin, dir := command(t), slowFolder(t)
	for _, engine := range engines {
		for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
			t.Run(engine+"/"+signal.String(), func(t *testing.T) {
				h := newHouse(t)
				c := program(t, h.dir, h.env(), bin, "run", dir, "--engine", engine, "--scanner", "shellcheck")
				var stdout, stderr bytes.Buffer
				c.Stdout, c.Stderr = &stdout, &stderr
				if err := c.Start(); err != nil {
					t.Fatal(err)
				}
				soon(t, "no container was started", func() []string {
					if h.inside() > 0 {
						return nil
					}
					return []string{stderr.String()}
				})
				leases := h.leases()
				if err := c.Process.Signal(signal); err != nil {
					t.Fatal(err)
				}
				c.Wait()
				check(t, ran{c.ProcessState.ExitCode(), stdout.Bytes(), stderr.Bytes()}, 130)
				if got := stderr.String(); got != "scangate: interrupted\n" {
					t.Errorf("stderr is %q", got)
				}
				soon(t, "left behind", func() []string { return h.left(t, leases) })
			})
		}
	}
}

// A daemon that answers until a container is made and then says nothing more.
func stuckDaemon(t *testing.T, socket string) (removing chan struct{}) {
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	removing = make(chan struct{}, 8)
	release := make(chan struct{})
	answers := map[string]string{
		"/_ping":           "OK",
		"/info":            `{"OSType":"linux","SecurityOptions":["name=seccomp,profile=default"],"NCPU":2}`,
		"/version":         `{"Components":[{"Name":"Engine"}]}`,
		"/containers/json": `[]`,
		"/images/" + pin(t, "shellcheck").Config + "/json": `{"Id":"` + pin(t, "shellcheck").Config + `","Config":{}}`,
		"/containers/create": `{"Id":"c0ffee"}`,
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := answers[strings.TrimPrefix(r.URL.Path, "/v1.41")]
		if !ok {
			if r.Method == http.MethodDelete {
				removing <- struct{}{}
			}
			<-release
			return
		}
		w.Header().Set("Api-Version", "1.41")
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusCreated)
		}
		io.WriteString(w, text)
	})}
	go s.Serve(l)
	t.Cleanup(func() { close(release); s.Close() })
	return removing
}

func TestTheSecondSignalEndsAtOnce(t *testing.T) {
	bin, dir, h := command(t), cleanFolder(t), newHouse(t)
	socket := filepath.Join(h.dir, "stuck.sock")
	removing := stuckDaemon(t, socket)
	c := program(t, h.dir, append(h.env(), "DOCKER_HOST=unix://"+socket), bin, "run", dir, "--engine", "docker", "--scanner", "shellcheck")
	var stdout bytes.Buffer
	c.Stdout = &stdout
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	soon(t, "the run did not get as far as a container", func() []string {
		if leases, _ := filepath.Glob(h.cache + "/scangate/runs/*/jobs/*/view"); len(leases) > 0 {
			return nil
		}
		return []string{"no view"}
	})
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-removing: // it waits for a daemon that won't answer
	case <-time.After(20 * time.Second):
		t.Fatal("the first signal was not heard")
	}
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	c.Wait()
	if s := c.ProcessState.Sys().(syscall.WaitStatus); !s.Signaled() || s.Signal() != syscall.SIGTERM || stdout.Len() > 0 {
		t.Errorf("it ended with %v, %q", c.ProcessState, stdout.String())
	}
}

func TestAKilledRunLeavesNothingRunningAndTheNextRemovesTheRest(t *testing.T) {
	needRoot(t)
	bin, slow, clean := command(t), slowFolder(t), cleanFolder(t)
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			h := newHouse(t)
			var leases []string
			for range 20 {
				c := program(t, h.dir, h.env(), bin, "run", slow, "--engine", engine, "--scanner", "shellcheck")
				var stdout bytes.Buffer
				c.Stdout = &stdout
				if err := c.Start(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(rand.N(500 * time.Millisecond)) // a random moment, from before the first file on
				if err := c.Process.Kill(); err != nil {
					t.Fatal(err)
				}
				c.Wait()
				if stdout.Len() > 0 {
					t.Errorf("a killed run printed %q", stdout.String())
				}
				leases = append(leases, h.leases()...)
				soon(t, "still running", func() []string { return append(h.running(), h.containers(t, false)...) })
			}
			check(t, h.run(t, bin, engine, "shellcheck", clean), 0)
			if left := h.left(t, leases); len(left) > 0 {
				t.Errorf("the next run did not remove %v", left)
			}
		})
	}
}

func TestAReportThatCannotBeWrittenIsNoPass(t *testing.T) {
	bin, h := command(t), newHouse(t)
	clean, bad := cleanFolder(t), badFolder(t)
	late := filepath.Join(h.dir, "late.yaml")
	write(t, h.dir, map[string]string{"late.yaml": "limits: {timeout: 1ms}\n"}, nil)
	for _, c := range []struct {
		name, dir, script string
		args              []string
		exit              int
	}{
		{"a reader that has left, of a pass", clean, "gone", nil, 2},
		{"a reader that has left, of a fail", bad, "gone", nil, 1},
		{"a reader that has left, of an incomplete", bad, "gone", []string{"--policy", late}, 3},
		{"a full disk, of a pass", clean, `exec "$0" "$@" >/dev/full`, nil, 2},
		{"a full disk, of a fail", bad, `exec "$0" "$@" >/dev/full`, nil, 2},
		{"a closed stdout, of a fail", bad, `exec "$0" "$@" >&-`, nil, 1},
		{"everything closed, of a fail", bad, `exec "$0" "$@" <&- >&- 2>&-`, nil, 1},
		{"a reader of stderr that has left", clean, `{ "$0" "$@" 2>&1 >/dev/null; echo $? >status; } | :; exit $(cat status)`, nil, 0},
		{"a file in a folder that is not there", clean, "", []string{"--out", "json=absent/report.json"}, 2},
		{"a folder in the file's place", clean, "", []string{"--out", "sarif=" + t.TempDir()}, 2},
		{"a record in a folder that is not there", clean, "", []string{"--record", "absent/record.json"}, 2},
		{"a device", clean, "", []string{"--out", "json=/dev/null", "--record", "/dev/null"}, 0},
		{"a full device", clean, "", []string{"--out", "json=/dev/full"}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := append([]string{"run", c.dir, "--engine", "embedded", "--scanner", "gitleaks"}, c.args...)
			run := program(t, h.dir, h.env(), bin, args...)
			if c.script != "" && c.script != "gone" {
				run = program(t, h.dir, h.env(), "/bin/sh", append([]string{"-c", c.script, bin}, args...)...)
			}
			var stderr bytes.Buffer
			run.Stderr = &stderr
			if c.script == "gone" {
				r, w, err := os.Pipe()
				if err != nil {
					t.Fatal(err)
				}
				r.Close()
				defer w.Close()
				run.Stdout = w
			}
			run.Run()
			if got := run.ProcessState.ExitCode(); got != c.exit {
				t.Errorf("exit status %d, want %d; %s", got, c.exit, stderr.String())
			}
			if want := c.exit == 2; strings.Contains(stderr.String(), "scangate: write report: ") != want {
				t.Errorf("stderr: %s", stderr.String())
			}
		})
	}
	if info, err := os.Stat("/dev/null"); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		t.Errorf("/dev/null is %v, %v", info, err)
	}
}

func TestARunBesideOthersGivesTheSame(t *testing.T) {
	needRoot(t)
	bin := command(t)
	dir := cleanFolder(t)
	write(t, dir, map[string]string{"app.cfg": "token = \"" + token + "\"\n"}, nil)
	for _, engine := range engines {
		digests := map[string]bool{}
		for _, n := range []int{2, 6} {
			h := emptyHouse(t) // nothing is unpacked and no canary proved
			h.ownImages(t, "gitleaks", "shellcheck")
			all := make(chan ran, n)
			for range n {
				c := program(t, h.dir, h.env(), bin, "run", dir, "--engine", engine, "--format", "json", "--as-of", day)
				go func() { all <- await(t, c) }()
			}
			for range n {
				r := <-all
				check(t, r, 1)
				if !json.Valid(r.stdout) || !bytes.Contains(r.stdout, []byte(`"verdict":"fail"`)) {
					t.Errorf("%d at once on %s: %s", n, engine, r.stderr)
				}
				digests[string(r.stdout)] = true
			}
			if left := h.left(t, nil); len(left) > 0 {
				t.Errorf("%d at once on %s left %v", n, engine, left)
			}
		}
		if len(digests) != 1 {
			t.Errorf("%s gave %d different results", engine, len(digests))
		}
	}
}
