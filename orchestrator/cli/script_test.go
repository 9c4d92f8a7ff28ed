package cli

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/scangate/scangate/orchestrator/engine"
	"github.com/scangate/scangate/orchestrator/engine/replay"
)

// The scripts run the real command line on an engine that replays what is recorded in the script's folder "recorded".
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"scangate": func() {
			dir, err := filepath.Abs(os.Getenv("RECORDED"))
			if err != nil {
				panic(err)
			}
			e := env{stdout: os.Stdout, stderr: os.Stderr, engines: map[string]func(context.Context) (engine.Engine, error){
				"replay": func(context.Context) (engine.Engine, error) { return replay.Engine{Dir: dir}, nil },
			}}
			os.Exit(e.main(context.Background(), os.Args[1:]))
		},
	})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("XDG_CACHE_HOME", filepath.Join(e.WorkDir, ".xdg", "cache"))
			e.Setenv("XDG_STATE_HOME", filepath.Join(e.WorkDir, ".xdg", "state"))
			e.Setenv("RECORDED", filepath.Join(e.WorkDir, "recorded"))
			e.Setenv("HOME", filepath.Join(e.WorkDir, "home"))
			return nil
		},
	})
}
