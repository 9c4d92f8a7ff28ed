//go:build e2e

package docker_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/scangate/scangate/orchestrator/engine"
	"github.com/scangate/scangate/orchestrator/engine/docker"
)

func TestWhatAJobDoesIsInItsOutcome(t *testing.T) {
	e, i := open(t, docker.Options{}), subject(t)
	for _, c := range []struct {
		name    string
		command []string
		fault   engine.Fault
		exit    int
		stdout  string
		stderr  string
	}{
		{"exit 0", []string{"exit", "0"}, "", 0, "", ""},
		{"exit 1", []string{"exit", "1"}, "", 1, "", ""},
		{"an exit of 137 is no out-of-memory kill", []string{"exit", "137"}, "", 137, "", ""},
		{"the streams are separate", []string{"print", "out", "err"}, "", 0, "out", "err"},
		{"no network", []string{"dial", "tcp:1.1.1.1:53", "udp:1.1.1.1:53", "tcp:172.17.0.1:22", "unix:/var/run/docker.sock", "tcp:[::1]:1"}, "", 0, "", ""},
		{"a child runs out of memory, and its parent exits 0", []string{"hoggee"}, engine.Memory, -1, "", ""},
		{"a gigabyte of output", []string{"flood"}, engine.Output, -1, "", ""},
		{"a program that is not there", nil, engine.Start, -1, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := job(i, c.command...)
			if c.command == nil {
				j.Command = []string{"/missing"}
			}
			o, err := e.Run(t.Context(), j)
			must(t, err)
			if o.Fault != c.fault || c.fault == "" && o.Exit != c.exit {
				t.Errorf("fault %q exit %d (%s), want %q %d", o.Fault, o.Exit, o.Detail, c.fault, c.exit)
			}
			if c.fault == "" && (string(o.Stdout) != c.stdout || string(o.Stderr) != c.stderr) {
				t.Errorf("stdout %q stderr %q", o.Stdout, o.Stderr)
			}
		})
	}
}

func TestAJobThatIgnoresSignalsEndsAtItsDeadline(t *testing.T) {
	j := job(subject(t), "sleep")
	j.Limits.Timeout = 500 * time.Millisecond
	o, err := open(t, docker.Options{}).Run(t.Context(), j)
	must(t, err)
	if o.Fault != engine.Timeout {
		t.Fatalf("%+v", o)
	}
}

func TestAForkBombStopsAtTheTaskLimit(t *testing.T) {
	o, err := open(t, docker.Options{}).Run(t.Context(), job(subject(t), "forks"))
	must(t, err)
	if n, err := strconv.Atoi(string(o.Stdout)); err != nil || n < 1 || n > 64+16 {
		t.Fatalf("%q children, want at most the limit: %+v", o.Stdout, o)
	}
}
