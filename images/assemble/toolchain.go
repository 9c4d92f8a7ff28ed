package assemble

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// toolchainVersion is the version that the module golang.org/toolchain has for it (go.dev/doc/toolchain).
func (b *builder) toolchainVersion(t Toolchain) string {
	return "v0.0.1-" + t.Version + ".linux-" + b.arch
}

func (b *builder) fetchToolchain(ctx context.Context, incoming string, t Toolchain) error {
	name := "golang.org/toolchain@" + b.toolchainVersion(t)
	b.Log("fetch " + name)
	env := append(b.goEnv("local"), "GOMODCACHE="+filepath.Join(incoming, "mod"))
	out, err := command(ctx, incoming, env, "go", "mod", "download", "-json", name)
	if err != nil {
		return fmt.Errorf("fetch %s: %w", name, err)
	}
	var module struct{ Zip string }
	if err := json.Unmarshal(out, &module); err != nil {
		return fmt.Errorf("fetch %s: %w", name, err)
	}
	if err := b.store.keep(module.Zip, name, t.SHA256); err != nil {
		return fmt.Errorf("fetch toolchain: %w", err)
	}
	return nil
}

func (b *builder) layToolchain(ctx context.Context, t Toolchain) error {
	f, err := b.store.open("toolchain "+t.Version, t.SHA256)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("read toolchain: %w", err)
	}
	archive, err := zip.NewReader(f, info.Size())
	if err != nil {
		return fmt.Errorf("read toolchain: %w", err)
	}
	prefix := "golang.org/toolchain@" + b.toolchainVersion(t) + "/"
	for _, member := range archive.File {
		name, ok := strings.CutPrefix(member.Name, prefix)
		if !ok {
			return fmt.Errorf("read toolchain: %s is not below %s", member.Name, prefix)
		}
		if strings.HasSuffix(name, "/") || anyMatch(t.Exclude, name) {
			continue
		}
		// The module's zip knows no modes.
		exec := strings.HasPrefix(name, "bin/") || strings.HasPrefix(name, "pkg/tool/")
		if err := b.layMember(member, path.Join(t.Path, name), exec); err != nil {
			return fmt.Errorf("read toolchain: %w", err)
		}
	}
	if t.Exports {
		return b.layExports(ctx, t)
	}
	return nil
}

// layExports lays the standard library's export data where "go install std" would put its packages. The go command takes
// a package from there when its build ID is the one it would build now.
func (b *builder) layExports(ctx context.Context, t Toolchain) error {
	b.Log("compile the standard library of " + t.Version)
	dir, err := os.MkdirTemp(b.Scratch, "std-")
	if err != nil {
		return fmt.Errorf("compile std: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module std.invalid\n"), 0o600); err != nil {
		return fmt.Errorf("compile std: %w", err)
	}
	out, err := command(ctx, dir, b.goEnv(t.Version), "go", "list", "-export", "-f", "{{.ImportPath}}\t{{.Export}}", "std")
	if err != nil {
		return fmt.Errorf("compile std: %w", err)
	}
	for line := range strings.Lines(string(out)) {
		name, file, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if !ok {
			return fmt.Errorf("compile std: unexpected line %q", line)
		}
		if file == "" { // unsafe
			continue
		}
		if err := b.layExport(file, path.Join(t.Path, "pkg", "linux_"+b.arch, name+".a")); err != nil {
			return fmt.Errorf("compile std: %s: %w", name, err)
		}
	}
	return nil
}

func (b *builder) layExport(file, to string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	export, err := exportData(bufio.NewReader(f))
	if err != nil {
		return err
	}
	return b.tree.file(to, false, bytes.NewReader(export))
}

// exportData cuts a package archive down to its first member, which begins with the build ID and is all that a
// compiler or type checker reads of an import. The object code, nine tenths of it, is for a linker.
func exportData(archive io.Reader) ([]byte, error) {
	// ar(5): a magic of 8 bytes; a header of 60, name first, size in decimal at 48; content, padded to even.
	const magic, header = "!<arch>\n", 60
	head := make([]byte, len(magic)+header)
	if _, err := io.ReadFull(archive, head); err != nil {
		return nil, fmt.Errorf("read archive: %w", err)
	}
	if !bytes.HasPrefix(head, []byte(magic+"__.PKGDEF ")) {
		return nil, errors.New("read archive: it does not begin with export data")
	}
	size, err := strconv.ParseInt(strings.TrimSpace(string(head[56:66])), 10, 32)
	if err != nil || size < 0 {
		return nil, fmt.Errorf("read archive: size %q of the export data", head[56:66])
	}
	content, err := io.ReadAll(io.LimitReader(archive, size+size%2))
	if err != nil {
		return nil, fmt.Errorf("read archive: %w", err)
	}
	if int64(len(content)) < size {
		return nil, fmt.Errorf("read archive: export data of %d bytes ends after %d", size, len(content))
	}
	return append(head, content...), nil
}
