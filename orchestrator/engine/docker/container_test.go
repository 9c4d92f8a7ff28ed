package docker

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/system"

	"github.com/scangate/scangate/orchestrator/engine"
	"github.com/scangate/scangate/orchestrator/engine/sandbox"
)

func TestWhereToLookForAnEngine(t *testing.T) {
	for _, c := range []struct {
		name, host string
		env        map[string]string
		want       string
	}{
		{"what the caller says", "unix:///a", map[string]string{"DOCKER_HOST": "unix:///b"}, "unix:///a"},
		{"then DOCKER_HOST, and nothing after it", "", map[string]string{"DOCKER_HOST": "tcp://b:1", "HOME": "/h"}, "tcp://b:1"},
		{"then the usual sockets", "", map[string]string{"XDG_RUNTIME_DIR": "/run/user/7", "HOME": "/h"},
			"unix:///var/run/docker.sock unix:///run/user/7/podman/podman.sock unix:///h/.colima/default/docker.sock unix:///h/.docker/run/docker.sock"},
		{"without a home", "", nil, "unix:///var/run/docker.sock"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := strings.Join(hosts(c.host, func(k string) string { return c.env[k] }), " "); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestAHostThatIsNoSocketOfThisMachineIsAbsent(t *testing.T) {
	for _, h := range []string{"tcp://127.0.0.1:2375", "ssh://a@b", "/var/run/docker.sock", "unix:///nowhere/d.sock"} {
		var absent *AbsentError
		if _, err := New(t.Context(), Options{Host: h}); !errors.As(err, &absent) || !strings.Contains(err.Error(), h) {
			t.Errorf("%s: %v", h, err)
		}
	}
}

func TestTheEnvironmentOfImageAndDaemonIsEmptied(t *testing.T) {
	got := emptied([]string{"PATH", "HOME"}, []string{"LD_PRELOAD=/evil.so", "PATH=/evil", "EMPTY=", "BARE", "=odd", "A=b=c"})
	if want := "PATH= HOME= LD_PRELOAD= EMPTY= BARE= A="; strings.Join(got, " ") != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestMountsAreReadOnlyAndNeverTheInits(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		name, source, target string
		bad                  bool
	}{
		{"a view", dir, "/workspace", false},
		{"a deeper one", dir, "/scangate/gomod", false},
		{"a source that is not there", dir + "/none", "/workspace", true},
		{"a relative source", "view", "/workspace", true},
		{"a relative target", dir, "workspace", true},
		{"a target that climbs", dir, "/workspace/../etc", true},
		{"the root", dir, "/", true},
		{"the init's folder", dir, sandbox.InitDir, true},
		{"the init", dir, sandbox.InitPath, true},
		{"a neighbour of the init's folder", dir, sandbox.InitDir + "x", false},
	} {
		for _, nested := range []bool{false, true} {
			got, err := binds("/i", []engine.Mount{{Source: c.source, Target: c.target}}, nested)
			if c.bad != (err != nil) {
				t.Errorf("%s: %v, %v", c.name, got, err)
			}
			for _, m := range got {
				if !m.ReadOnly || m.Type != "bind" || m.BindOptions.NonRecursive == nested || m.BindOptions.ReadOnlyForceRecursive != nested {
					t.Errorf("%s: %+v %+v", c.name, m, m.BindOptions)
				}
			}
		}
	}
}

func TestCgroupsAreBelievedOnlyWhereTheDaemonKeptEveryLimit(t *testing.T) {
	whole := system.Info{MemoryLimit: true, PidsLimit: true, CPUCfsQuota: true, CgroupDriver: "cgroupfs", NCPU: 2}
	if !limited(whole) {
		t.Error("a daemon with every controller holds the limits")
	}
	for _, drop := range []func(*system.Info){
		func(i *system.Info) { i.MemoryLimit = false }, func(i *system.Info) { i.PidsLimit = false },
		func(i *system.Info) { i.CPUCfsQuota = false }, func(i *system.Info) { i.CgroupDriver = "none" },
	} {
		i := whole
		if drop(&i); limited(i) {
			t.Errorf("held without a controller: %+v", i)
		}
	}
	ask := func() *container.HostConfig {
		return hostConfig(sandbox.Limits{CPU: 8, Memory: 1 << 30, Tmp: 1 << 20, Pids: 100}, whole, false, nil)
	}
	if got := ask(); got.NanoCPUs != 2e9 || *got.PidsLimit != 100+sandbox.InitTasks || !held(ask(), got) {
		t.Errorf("%+v", got)
	}
	zero := int64(0)
	for _, drop := range []func(*container.HostConfig){
		func(h *container.HostConfig) { h.Memory = 0 }, func(h *container.HostConfig) { h.NanoCPUs = 0 },
		func(h *container.HostConfig) { h.PidsLimit = nil }, func(h *container.HostConfig) { h.PidsLimit = &zero },
	} {
		h := ask()
		if drop(h); held(ask(), h) {
			t.Errorf("a discarded limit passes for held: %+v", h.Resources)
		}
	}
}

func TestWhatTheDaemonSaysItLoaded(t *testing.T) {
	for _, c := range []struct {
		name, body string
		names      []string
		err        string
	}{
		{"a tag", `{"stream":"Loaded image: scangate.invalid/a:1\n"}`, []string{"scangate.invalid/a:1"}, ""},
		{"an id, among progress", `{"status":"Loading"}` + "\n" + `{"stream":"Loaded image ID: sha256:12\n"}`, []string{"sha256:12"}, ""},
		{"nothing", "", nil, ""},
		{"an error after success", `{"stream":"Loaded image: a\n"}{"errorDetail":{"message":"no space"},"error":"no space"}`, nil, "no space"},
		{"no JSON", "Loaded image: a", nil, "read progress"},
		{"cut", `{"stream":"Loa`, nil, "read progress"},
	} {
		t.Run(c.name, func(t *testing.T) {
			names, err := loadedNames(strings.NewReader(c.body))
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) || !reflect.DeepEqual(names, c.names) {
				t.Errorf("got %q, %v", names, err)
			}
		})
	}
}

func FuzzLoadedNames(f *testing.F) {
	f.Add(`{"stream":"Loaded image: a\nLoaded image ID: sha256:12\n"}`)
	f.Add(`{"error":"no"}`)
	f.Fuzz(func(t *testing.T, body string) {
		names, err := loadedNames(strings.NewReader(body))
		if err != nil && names != nil {
			t.Errorf("names %q beside error %v", names, err)
		}
		for _, n := range names {
			if strings.ContainsAny(n, "\n") {
				t.Errorf("name %q has two lines", n)
			}
		}
	})
}

func TestTheInitsOwnWordsAreBounded(t *testing.T) {
	var h head
	for range 100 {
		if n, err := h.Write([]byte(strings.Repeat("x", 100))); n != 100 || err != nil {
			t.Fatal(n, err)
		}
	}
	if len(h.line()) != 1<<10 {
		t.Errorf("kept %d bytes", len(h.line()))
	}
	h = head{}
	h.Write([]byte("\nfirst\nsecond\n"))
	if h.line() != "first" {
		t.Errorf("line %q", h.line())
	}
}
