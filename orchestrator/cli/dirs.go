package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/scangate/scangate/orchestrator/workspace"
)

// dirs are the folders scangate keeps things in, none of them in a workspace.
type dirs struct {
	cache string // what can be made again: images, run folders, Go modules, canary results
	state string // what can't: the key that authenticates the cache
}

// findDirs follows the XDG base directory specification on every system, and makes the folders.
func findDirs() (dirs, error) {
	d, err := nameDirs()
	if err != nil {
		return dirs{}, err
	}
	return d, d.make()
}

// dirsOutside refuses folders that lie in the workspace before it makes them: a scan writes nothing there, and would scan
// its own state.
func dirsOutside(workspaceDir string) (dirs, error) {
	d, err := nameDirs()
	if err != nil {
		return dirs{}, err
	}
	for _, dir := range []string{d.cache, d.state} {
		if err := workspace.Outside(dir, workspaceDir); err != nil {
			return dirs{}, hinted{err, "set XDG_CACHE_HOME and XDG_STATE_HOME to folders outside the workspace"}
		}
	}
	return d, d.make()
}

func nameDirs() (dirs, error) {
	home, _ := os.UserHomeDir()
	if !filepath.IsAbs(home) { // such a HOME would mean another folder in every other one
		home = ""
	}
	pick := func(variable, below string) string {
		if d := os.Getenv(variable); filepath.IsAbs(d) { // the specification ignores relative ones
			return filepath.Join(d, "scangate")
		}
		if home == "" {
			return ""
		}
		return filepath.Join(home, below, "scangate")
	}
	d := dirs{cache: pick("XDG_CACHE_HOME", ".cache"), state: pick("XDG_STATE_HOME", ".local/state")}
	if d.cache == "" || d.state == "" {
		return dirs{}, hinted{errors.New("find cache folder: HOME is not set, or not absolute"), "set HOME, or XDG_CACHE_HOME and XDG_STATE_HOME"}
	}
	return d, nil
}

func (d dirs) make() error {
	for _, dir := range []string{d.cache, d.state} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return hinted{fmt.Errorf("make cache folder: %w", err), "set XDG_CACHE_HOME and XDG_STATE_HOME to folders that you can write"}
		}
	}
	return nil
}

func (d dirs) runs() string      { return filepath.Join(d.cache, "runs") }
func (d dirs) images() string    { return filepath.Join(d.cache, "images") }
func (d dirs) fetched() string   { return filepath.Join(d.cache, "fetched") }
func (d dirs) builds() string    { return filepath.Join(d.cache, "builds") }
func (d dirs) goModules() string { return filepath.Join(d.cache, "go-modules") }
func (d dirs) canaries() string  { return filepath.Join(d.state, "canaries") }
