package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/scangate/scangate/images/assemble"
	"github.com/scangate/scangate/images/store"
	"github.com/scangate/scangate/images/supply"
	"github.com/scangate/scangate/orchestrator"
	"github.com/scangate/scangate/orchestrator/cache"
	"github.com/scangate/scangate/orchestrator/engine"
	"github.com/scangate/scangate/orchestrator/workspace"
)

// supplied is the images of a scan: Ensure for the orchestrator, the store for the engines.
type supplied struct{ *supply.Supply }

func (s supplied) Ensure(ctx context.Context, i engine.Image) error {
	return s.Supply.Ensure(ctx, i.Name, pinOf(i))
}

func (e env) supply(d dirs, say func(string, ...any)) (*supply.Supply, error) {
	st, err := store.Open(d.images())
	if err != nil {
		return nil, err
	}
	recipes, err := assemble.Recipes()
	if err != nil {
		return nil, err
	}
	return &supply.Supply{Store: st, Recipes: recipes, Platform: platform(), Fetched: d.fetched(), Scratch: d.builds(), Say: say}, nil
}

// tools opens what a scan of the folder works with. The caller closes the engine.
func (e env) tools(ctx context.Context, folder, engineName string, p *progress) (orchestrator.Tools, error) {
	none := orchestrator.Tools{}
	d, err := dirsOutside(folder)
	if err != nil {
		return none, err
	}
	s, err := e.supply(d, p.line)
	if err != nil {
		return none, err
	}
	canaries, err := cache.Open(d.canaries())
	if err != nil {
		return none, err
	}
	if err := workspace.Sweep(d.runs()); err != nil {
		return none, err
	}
	memory, err := hostMemory()
	if err != nil {
		return none, err
	}
	eng, err := e.openEngine(ctx, engineName, d, s.Store, p.line)
	if err != nil {
		return none, err
	}
	if err := eng.Sweep(ctx); err != nil {
		return none, errors.Join(fmt.Errorf("remove what killed runs left: %w", err), eng.Close())
	}
	tools := orchestrator.Tools{Engine: eng, Images: supplied{s}, Cache: canaries, Runs: d.runs(), GoModules: d.goModules(),
		GoModCache: goModCache(), Memory: memory, Watch: p.event}
	if e.engines[engineName] != nil {
		tools.Images = noImages{}
	}
	return tools, nil
}

// noImages is for engines that run nothing.
type noImages struct{}

func (noImages) Ensure(context.Context, engine.Image) error { return nil }

// goModCache finds the host's module cache as cmd/go does, without running it.
func goModCache() string {
	if d := os.Getenv("GOMODCACHE"); d != "" {
		return d
	}
	if list := filepath.SplitList(os.Getenv("GOPATH")); len(list) > 0 {
		return filepath.Join(list[0], "pkg", "mod")
	}
	home, _ := os.UserHomeDir()
	return filepath.Join(home, "go", "pkg", "mod")
}
