//go:build e2e

package e2e

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/scangate/scangate/images"
	"github.com/scangate/scangate/images/assemble"
	"github.com/scangate/scangate/images/store"
	"github.com/scangate/scangate/images/supply"
	"github.com/scangate/scangate/orchestrator/engine"
	"github.com/scangate/scangate/orchestrator/engine/docker"
	"github.com/scangate/scangate/orchestrator/engine/embedded"
	"github.com/scangate/scangate/orchestrator/engine/sandbox"
)

// BenchmarkJob runs "shellcheck --version" bare and as a job of each engine, in turn, and reports the medians in
// milliseconds and what each engine adds to the bare process: go test -tags e2e -run - -bench Job ./e2e
func BenchmarkJob(b *testing.B) {
	ctx := context.Background()
	st, pin := shellcheckImage(b)
	rootfs, err := st.Rootfs(ctx, pin)
	if err != nil {
		b.Fatal(err)
	}
	init, err := sandbox.Init(runtime.GOARCH)
	if err != nil {
		b.Fatal(err)
	}
	dock, err := docker.New(ctx, docker.Options{Dir: b.TempDir(), Init: init, Archive: func(ctx context.Context, i engine.Image) (io.ReadCloser, error) {
		r, w := io.Pipe()
		go func() { w.CloseWithError(st.Archive(ctx, pin, w)) }()
		return r, nil
	}})
	if err != nil {
		b.Fatal(err)
	}
	defer dock.Close()
	emb, err := embedded.New(embedded.Options{Root: b.TempDir(), Init: init,
		Rootfs: func(context.Context, engine.Image) (string, error) { return rootfs, nil }})
	if err != nil {
		b.Fatal(err)
	}
	defer emb.Close()

	view := b.TempDir()
	if err := os.Chmod(view, 0o755); err != nil {
		b.Fatal(err)
	}
	job := engine.Job{Name: "bench", Image: engine.Image{Name: "shellcheck", Manifest: pin.Manifest, Config: pin.Config},
		Command: []string{"/usr/bin/shellcheck", "--version"}, Dir: "/tmp", Mounts: []engine.Mount{{Source: view, Target: "/workspace"}},
		Limits: sandbox.Limits{CPU: 1, Memory: 512 << 20, Tmp: 16 << 20, Pids: 64, Timeout: time.Minute, Stdout: 1 << 20, Stderr: 1 << 20}}
	run := func(e engine.Engine) func() error {
		return func() error {
			o, err := e.Run(ctx, job)
			if err == nil && (o.Fault != "" || o.Exit != 0) {
				b.Fatalf("%s: exit %d, %s %s", e.Name(), o.Exit, o.Fault, o.Detail)
			}
			return err
		}
	}
	variants := []struct {
		name string
		run  func() error
	}{
		{"bare", func() error { return exec.Command(filepath.Join(rootfs, "usr/bin/shellcheck"), "--version").Run() }},
		{"embedded", run(emb)},
		{"docker", run(dock)},
	}
	took := map[string][]float64{}
	for range max(b.N, 30) {
		for _, v := range variants {
			began := time.Now()
			if err := v.run(); err != nil {
				b.Fatal(v.name, err)
			}
			took[v.name] = append(took[v.name], float64(time.Since(began).Microseconds())/1000)
		}
	}
	median := func(name string) float64 {
		slices.Sort(took[name])
		return took[name][len(took[name])/2]
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median("bare"), "bare-ms")
	b.ReportMetric(median("embedded")-median("bare"), "embedded-added-ms")
	b.ReportMetric(median("docker")-median("bare"), "docker-added-ms")
}

// shellcheckImage is the locked image in a store of the benchmark's own.
func shellcheckImage(b *testing.B) (*store.Store, images.Pin) {
	b.Helper()
	lock, err := images.Builtin()
	if err != nil {
		b.Fatal(err)
	}
	platform := "linux/" + runtime.GOARCH
	pin, err := lock.Pin("shellcheck", platform)
	if err != nil {
		b.Fatal(err)
	}
	st, err := store.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	recipes, err := assemble.Recipes()
	if err != nil {
		b.Fatal(err)
	}
	s := supply.Supply{Store: st, Recipes: recipes, Platform: platform, Fetched: b.TempDir(), Scratch: b.TempDir(), Say: b.Logf}
	if err := s.Ensure(context.Background(), "shellcheck", pin); err != nil {
		b.Fatal(err)
	}
	return st, pin
}
