package assemble

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
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
	if err := b.tree.file(g.Path, true, f); err != nil {
		return err
	}
	for _, f := range g.Files {
		if err := b.layModuleFile(ctx, dir, g, f); err != nil {
			return fmt.Errorf("take %s of %s: %w", f.From, g.Package, err)
		}
	}
	return nil
}

// layModuleFile takes a file of the module that the program was built from.
func (b *builder) layModuleFile(ctx context.Context, dir string, g GoProgram, f ModuleFile) error {
	module, err := g.module()
	if err != nil {
		return err
	}
	out, err := command(ctx, dir, b.goEnv(g.Toolchain), "go", "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", module)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), filepath.FromSlash(f.From)))
	if err != nil {
		return err
	}
	if len(f.Cut) == 2 {
		if text, err = cut(text, f.Cut[0], f.Cut[1]); err != nil {
			return err
		}
	}
	return b.tree.file(f.Path, false, bytes.NewReader(text))
}

// cut takes out what lies from one mark to the next other one, both included.
func cut(text []byte, from, to string) ([]byte, error) {
	if n := bytes.Count(text, []byte(from)); n != 1 {
		return nil, fmt.Errorf("the mark %q is there %d times, want once", from, n)
	}
	before, rest, _ := bytes.Cut(text, []byte(from))
	_, after, ok := bytes.Cut(rest, []byte(to))
	if !ok {
		return nil, fmt.Errorf("no mark %q after %q", to, from)
	}
	return append(bytes.Clone(before), after...), nil
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
