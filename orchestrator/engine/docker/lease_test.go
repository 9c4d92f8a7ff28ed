package docker

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/system"

	"github.com/scangate/scangate/orchestrator/engine"
)

// daemon answers what New, Sweep and Close ask, from a list of containers.
type daemon struct {
	mu         sync.Mutex
	info       system.Info
	api        string
	containers map[string]map[string]string // labels by id
}

func serve(t *testing.T) (*daemon, string) {
	t.Helper()
	d := &daemon{api: "1.41", containers: map[string]map[string]string{},
		info: system.Info{OSType: "linux", SecurityOptions: []string{"name=seccomp,profile=default"}}}
	socket := filepath.Join(t.TempDir(), "d.sock")
	l, err := net.Listen("unix", socket)
	must(t, err)
	s := &http.Server{Handler: d}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return d, "unix://" + socket
}

func (d *daemon) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	w.Header().Set("Api-Version", d.api)
	w.Header().Set("Content-Type", "application/json")
	switch _, rest, _ := strings.Cut(r.URL.Path[1:], "/"); {
	case r.URL.Path == "/_ping":
	case rest == "info":
		json.NewEncoder(w).Encode(d.info)
	case rest == "version":
		json.NewEncoder(w).Encode(types.Version{})
	case rest == "containers/json":
		f, err := filters.FromJSON(r.URL.Query().Get("filters"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		list := []container.Summary{}
		for id, labels := range d.containers {
			if f.MatchKVList("label", labels) {
				list = append(list, container.Summary{ID: id, Labels: labels})
			}
		}
		json.NewEncoder(w).Encode(list)
	case r.Method == http.MethodDelete:
		delete(d.containers, path.Base(rest))
		w.WriteHeader(http.StatusNoContent)
	default:
		http.NotFound(w, r)
	}
}

// add puts a container of a run into the daemon.
func (d *daemon) add(id string, l *owned) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.containers[id] = l.labels("job")
}

func (d *daemon) left() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var ids []string
	for _, id := range []string{"alive", "dead", "gone", "foreign", "ours"} {
		if _, ok := d.containers[id]; ok {
			ids = append(ids, id)
		}
	}
	return strings.Join(ids, " ")
}

func start(t *testing.T, host, dir string) *docker {
	t.Helper()
	e, err := New(t.Context(), Options{Host: host, Dir: dir, Init: []byte("init")})
	must(t, err)
	return e.(*docker)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestSweepRemovesOnlyWhatDeadRunsOfOurFolderLeft(t *testing.T) {
	d, host := serve(t)
	dir, other := t.TempDir(), t.TempDir()
	alive, ours, foreign := start(t, host, dir), start(t, host, dir), start(t, host, other)
	dead, err := takeLease(dir)
	must(t, err)
	must(t, dead.Drop()) // as the kernel does for a killed run
	gone, err := takeLease(dir)
	must(t, err)
	must(t, gone.End())
	must(t, foreign.lease.Drop())
	for id, l := range map[string]*owned{"alive": alive.lease, "ours": ours.lease, "foreign": foreign.lease, "dead": dead, "gone": gone} {
		d.add(id, l)
	}
	for range 2 {
		must(t, ours.Sweep(t.Context()))
		if got := d.left(); got != "alive foreign ours" {
			t.Fatalf("left %s, want alive, foreign, ours", got)
		}
	}
	files, err := filepath.Glob(dir + "/*.lease")
	must(t, err)
	if len(files) != 2 {
		t.Errorf("lease files %v, want those of the two living runs", files)
	}
	must(t, ours.Close())
	if got := d.left(); got != "alive foreign" {
		t.Errorf("left after Close: %s", got)
	}
	if _, err := os.Stat(filepath.Join(dir, ours.lease.id+".lease")); !os.IsNotExist(err) {
		t.Errorf("Close left its lease: %v", err)
	}
	must(t, alive.Close())
}

func TestSweepRefusesALeaseThatIsAPath(t *testing.T) {
	d, host := serve(t)
	e := start(t, host, t.TempDir())
	d.add("evil", &owned{owner: e.lease.owner, id: "../../etc/passwd"})
	if err := e.Sweep(t.Context()); err == nil || !strings.Contains(err.Error(), "never give") {
		t.Fatalf("got %v", err)
	}
	must(t, e.lease.End())
}

func TestAFolderKeepsItsOwner(t *testing.T) {
	dir := t.TempDir()
	var owners [8]string
	var wg sync.WaitGroup
	for i := range owners {
		wg.Go(func() { owners[i], _ = ownerOf(dir) })
	}
	wg.Wait()
	for _, o := range owners {
		if o != owners[0] || len(o) != 32 {
			t.Fatalf("owners %q, want one", owners)
		}
	}
	must(t, os.WriteFile(filepath.Join(dir, "owner"), []byte("half"), 0o600))
	if _, err := takeLease(dir); err == nil {
		t.Fatal("half a name was taken for one")
	}
}

func TestADaemonThatCannotDoItIsNotUsed(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(*daemon)
		want string
	}{
		{"too old", func(d *daemon) { d.api = "1.40" }, "its API is 1.40, want 1.41"},
		{"Windows containers", func(d *daemon) { d.info.OSType = "windows" }, "want linux"},
		{"no seccomp", func(d *daemon) { d.info.SecurityOptions = []string{"name=apparmor"} }, "no seccomp"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, host := serve(t)
			c.edit(d)
			_, err := New(t.Context(), Options{Host: host, Dir: t.TempDir(), Init: []byte("init")})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want it to say %q", err, c.want)
			}
		})
	}
	_, host := serve(t)
	if _, err := New(t.Context(), Options{Host: host, Dir: "relative"}); err == nil {
		t.Error("a relative state folder was taken")
	}
}

var _ engine.Engine = (*docker)(nil)
