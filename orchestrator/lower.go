package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/scangate/scangate/orchestrator/engine"
	"github.com/scangate/scangate/orchestrator/engine/sandbox"
	"github.com/scangate/scangate/orchestrator/gomod"
	"github.com/scangate/scangate/orchestrator/plan"
	"github.com/scangate/scangate/orchestrator/workspace"
	"github.com/scangate/scangate/pkg/policy"
	"github.com/scangate/scangate/scanners"
)

// lowered is a plan with its views laid out and its images at hand.
type lowered struct {
	jobs    []engine.Job
	of      []place          // of each job
	failed  map[int]failure  // scans that got no job, by index in the plan
	proved  map[int]bool     // scans whose canary was found by an earlier run
	missing map[int][]string // Go modules not at hand
}

// place says which scan a job belongs to: its n-th job, or -1 for its canary's own.
type place struct{ scan, job int }

// failure is why a scan could not be prepared.
type failure struct {
	code scanners.Code
	err  error
}

// lower gets the images and lays out views and configuration below the snapshot's own folder. What keeps one scanner
// from running is that scanner's failure; an error is ours.
func lower(ctx context.Context, p plan.Plan, snap *workspace.Snapshot, r Request, t Tools) (*lowered, error) {
	l := &lowered{failed: map[int]failure{}, proved: map[int]bool{}, missing: map[int][]string{}}
	require := sandbox.Require{Cgroups: r.Policy.Isolation.Cgroups == policy.Must}
	for i, scan := range p.Scans {
		if scan.Status != "" {
			continue
		}
		if err := t.Images.Ensure(ctx, scan.Image); err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			l.failed[i] = failure{scanners.NoImage, err}
			t.Watch(Event{Stage: "image", Scanner: scan.Scanner.Name, Done: true, Detail: err.Error()})
			continue
		}
		base := filepath.Join(snap.Dir(), "jobs", scan.Scanner.Name)
		mounts, missing, err := l.control(ctx, scan, base, t)
		if err != nil {
			if errors.As(err, new(*dataError)) && ctx.Err() == nil {
				l.failed[i] = failure{scanners.NoData, err}
				continue
			}
			return nil, fmt.Errorf("prepare %s: %w", scan.Scanner.Name, err)
		}
		l.missing[i] = missing
		view := filepath.Join(base, "view")
		if err := snap.Materialise(scan.View, view); err != nil {
			return nil, fmt.Errorf("prepare %s: %w", scan.Scanner.Name, err)
		}
		add := func(name, view string, j plan.Job, pl place) {
			l.jobs = append(l.jobs, engine.Job{
				Name: name, Image: scan.Image, Command: j.Command, Env: scan.Scanner.Env, Dir: workDir(scan.Scanner, j),
				Mounts: append([]engine.Mount{{Source: view, Target: scanners.Workspace}}, mounts...),
				Limits: j.Limits, Require: require,
			})
			l.of = append(l.of, pl)
		}
		for n, j := range scan.Jobs {
			add(scan.Scanner.Name, view, j, place{i, n})
		}
		if scan.Canary == nil {
			continue
		}
		if _, ok := t.Cache.Get(canaryKey(scan)); ok {
			l.proved[i] = true
			continue
		}
		canary := filepath.Join(base, "canary")
		if err := snap.Materialise(scan.Canary.View, canary); err != nil {
			return nil, fmt.Errorf("prepare %s: %w", scan.Scanner.Name, err)
		}
		add(scan.Scanner.Name+"-canary", canary, scan.Canary.Job, place{i, -1})
	}
	return l, nil
}

func canaryKey(s plan.Scan) string { return "canary " + s.Canary.Digest }

// workDir is the project's folder, else /tmp: some tools take their configuration from the working directory.
func workDir(s scanners.Scanner, j plan.Job) string {
	if s.Root == "" {
		return "/tmp"
	}
	return path.Join(scanners.Workspace, j.Dir)
}

// dataError is about the data of one scanner: a go.sum that can't be read, a module that is not what go.sum says.
type dataError struct{ error }

func (e *dataError) Unwrap() error { return e.error }

// control lays out what a job finds at /scangate beside the view: the scanner's own configuration, the Go modules.
func (l *lowered) control(ctx context.Context, s plan.Scan, base string, t Tools) ([]engine.Mount, []string, error) {
	if s.Scanner.Config == nil && !s.Scanner.GoModules {
		return nil, nil, nil
	}
	dir := filepath.Join(base, "scangate")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, nil, err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, nil, err
	}
	mounts := []engine.Mount{{Source: dir, Target: path.Dir(scanners.Config)}}
	if s.Scanner.Config != nil {
		if err := copyFS(filepath.Join(dir, path.Base(scanners.Config)), s.Scanner.Config); err != nil {
			return nil, nil, err
		}
	}
	if !s.Scanner.GoModules {
		return mounts, nil, nil
	}
	data, missing, err := gomod.Collect(ctx, s.GoModSum, t.GoModCache, t.GoModules)
	if err != nil {
		return nil, nil, &dataError{err}
	}
	if err := os.MkdirAll(filepath.Join(dir, path.Base(scanners.Modules)), 0o755); err != nil {
		return nil, nil, err
	}
	return append(mounts, engine.Mount{Source: data.Dir, Target: scanners.Modules}), missing, nil
}

// copyFS writes files 0644 whatever the umask, so that the job's user can read them.
func copyFS(dir string, f fs.FS) error {
	return fs.WalkDir(f, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := filepath.Join(dir, filepath.FromSlash(p))
		if d.IsDir() {
			if err := os.MkdirAll(to, 0o755); err != nil {
				return err
			}
			return os.Chmod(to, 0o755)
		}
		b, err := fs.ReadFile(f, p)
		if err != nil {
			return err
		}
		if err := os.WriteFile(to, b, 0o644); err != nil {
			return err
		}
		return os.Chmod(to, 0o644)
	})
}

// watch tells of a scanner's start with its first job's, and of its end with its last job's.
func (l *lowered) watch(watch func(Event)) func(i int, ended bool) {
	var mu sync.Mutex
	left, total := map[int]int{}, 0
	for _, pl := range l.of {
		if left[pl.scan]++; left[pl.scan] == 1 {
			total++
		}
	}
	return func(i int, ended bool) {
		mu.Lock()
		defer mu.Unlock()
		pl := l.of[i]
		if ended {
			left[pl.scan]--
		}
		watch(Event{Stage: "scan", Scanner: strings.TrimSuffix(l.jobs[i].Name, "-canary"), Done: left[pl.scan] == 0, Total: total})
	}
}

// jobsOf returns the indexes of a scan's jobs, canary last.
func (l *lowered) jobsOf(scan int) (jobs []int, canary int) {
	canary = -1
	for i, pl := range l.of {
		switch {
		case pl.scan != scan:
		case pl.job < 0:
			canary = i
		default:
			jobs = append(jobs, i)
		}
	}
	slices.SortFunc(jobs, func(a, b int) int { return l.of[a].job - l.of[b].job })
	return jobs, canary
}
