//go:build e2e

package docker_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/scangate/scangate/orchestrator/engine/docker"
	"github.com/scangate/scangate/orchestrator/engine/sandbox"
)

// parentVar makes the test binary the process that is killed: it runs a job on the state folder the variable names.
const (
	parentVar = "SCANGATE_E2E_PARENT"
	nonceVar  = "SCANGATE_E2E_NONCE"
)

func parent() int {
	t := new(testing.T)
	init, err := sandbox.Init(arch)
	if err != nil {
		panic(err)
	}
	e, err := docker.New(context.Background(), docker.Options{Dir: os.Getenv(parentVar), Init: init, Archive: images.archive})
	if err != nil {
		panic(err)
	}
	o, err := e.Run(context.Background(), job(subject(t), "stubborn"))
	fmt.Println(o, err)
	return 1
}

func TestAKilledRunLeavesNothingRunningAndTheNextSweepRemovesTheRest(t *testing.T) {
	dir := t.TempDir()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), parentVar+"="+dir, nonceVar+"="+nonce)
	child.Stdout, child.Stderr = os.Stderr, os.Stderr
	must(t, child.Start())
	for len(containers(t, dir, true)) == 0 && child.ProcessState == nil {
	}
	must(t, child.Process.Kill())
	child.Wait()
	await(t, "end of the job", func() bool { return len(containers(t, dir, true)) == 0 })
	if husks := containers(t, dir, false); len(husks) != 1 {
		t.Fatalf("husks: %v, want the one that was running", husks)
	}
	must(t, open(t, docker.Options{}).Sweep(t.Context())) // of another owner
	if husks := containers(t, dir, false); len(husks) != 1 {
		t.Fatal("the sweep of another state folder removed it")
	}
	must(t, open(t, docker.Options{Dir: dir}).Sweep(t.Context()))
	if husks := containers(t, dir, false); len(husks) != 0 {
		t.Fatalf("left after the sweep: %v", husks)
	}
	if leases, _ := filepath.Glob(dir + "/*.lease"); len(leases) != 1 {
		t.Fatalf("leases %v, want the living one's only", leases)
	}
}

func TestTwoRunsBesideEachOtherDoNotReapEachOther(t *testing.T) {
	dir := t.TempDir()
	a, b := open(t, docker.Options{Dir: dir}), open(t, docker.Options{Dir: dir})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := a.Run(ctx, job(subject(t), "stubborn"))
		done <- err
	}()
	await(t, "running container", func() bool { return len(containers(t, dir, true)) == 1 })
	for range 3 {
		must(t, b.Sweep(t.Context()))
		must(t, a.Sweep(t.Context()))
	}
	if o, err := b.Run(t.Context(), job(subject(t), "exit", "5")); err != nil || o.Exit != 5 {
		t.Errorf("%+v, %v", o, err)
	}
	if len(containers(t, dir, true)) != 1 {
		t.Error("the first run's container is gone")
	}
	cancel()
	if err := <-done; err != context.Canceled {
		t.Error(err)
	}
}
