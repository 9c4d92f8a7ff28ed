package assemble

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// layGo builds the program in a module of its own whose go.sum is the recipe's. Go's module and build caches are below
// Cache: the first checks what it downloads against go.sum, the second is keyed by content.
func (b *builder) layGo(ctx context.Context, g GoProgram) error {
	b.Log("build " + g.Package)
	dir, err := os.MkdirTemp(b.Scratch, "go-")
	if err != nil {
		return fmt.Errorf("build %s: %w", g.Package, err)
	}
	defer os.RemoveAll(dir)
	for name, text := range map[string][]byte{"go.mod": g.Mod, "go.sum": g.Sum} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return fmt.Errorf("build %s: %w", g.Package, err)
		}
	}
	program := filepath.Join(dir, "program")
	_, err = command(ctx, dir, b.goEnv(g.Toolchain), "go", "build", "-mod=readonly", "-trimpath", "-buildvcs=false",
		"-ldflags", g.LDFlags, "-o", program, g.Package)
	if err != nil {
		return fmt.Errorf("build %s: %w", g.Package, err)
	}
	f, err := os.Open(program)
	if err != nil {
		return fmt.Errorf("build %s: %w", g.Package, err)
	}
	defer f.Close()
	return b.tree.file(g.Path, true, f)
}

// goEnv fixes everything that goes into a Go program's bytes, also what a user's "go env -w" may have set. Where modules
// come from stays the user's choice: their hashes are known.
func (b *builder) goEnv(toolchain string) []string {
	return []string{
		"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + b.arch, "GOAMD64=v1", "GOARM64=v8.0",
		"GOEXPERIMENT=", "GOFIPS140=off", "GODEBUG=", "GOFLAGS=-modcacherw", "GOWORK=off", "GO111MODULE=on",
		"GOTOOLCHAIN=" + toolchain,
		"GOPATH=" + filepath.Join(b.Cache, "gopath"),
		"GOMODCACHE=" + filepath.Join(b.Cache, "gopath", "pkg", "mod"),
		"GOCACHE=" + filepath.Join(b.Cache, "gobuild"),
	}
}
