package assemble

import (
	"archive/tar"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

// compileScript reads lines of source, name in the image and target. Unchecked hashes make a cache that holds no time;
// a source that does not compile is an error.
const compileScript = `
import py_compile, sys
for line in sys.stdin.read().splitlines():
    source, name, target = line.split("\t")
    py_compile.compile(source, target, name, doraise=True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
`

// layBytecode compiles with the image's own interpreter, started through the image's own loader: no root, no engine and
// no Python of the host's. Host and image must be of one platform. The environment is empty but for what is fixed here:
// marshal's output depends on which strings the interpreter has met before.
func (b *builder) layBytecode(ctx context.Context, p Bytecode) error {
	b.Log("compile Python sources")
	dir, err := os.MkdirTemp(b.Cache, "python-") // not in Scratch, which may be mounted noexec
	if err != nil {
		return fmt.Errorf("compile python: %w", err)
	}
	defer os.RemoveAll(dir)
	root := filepath.Join(dir, "root")
	if err := b.tree.copyTo(root); err != nil {
		return fmt.Errorf("compile python: %w", err)
	}
	var lines strings.Builder
	targets := map[string]string{}
	for _, name := range b.tree.names() {
		e := b.tree.entries[name]
		if e.kind != tar.TypeReg || path.Ext(name) != ".py" || !anyMatch(p.Include, name) || anyMatch(p.Exclude, name) {
			continue
		}
		target := filepath.Join(dir, fmt.Sprint(len(targets))+".pyc")
		fmt.Fprintf(&lines, "%s\t/%s\t%s\n", e.file, name, target)
		targets[name] = target
	}
	cmd := exec.CommandContext(ctx, filepath.Join(root, p.Loader), "--library-path", p.libraryPath(root),
		filepath.Join(root, p.Python), "-s", "-P", "-c", compileScript)
	cmd.Env = []string{"PYTHONHASHSEED=0", "PYTHONHOME=" + filepath.Join(root, "usr"), "LC_ALL=C.UTF-8"}
	cmd.Dir = dir
	cmd.Stdin = strings.NewReader(lines.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("compile python: %w: %s", err, lastLines(string(out), 5))
	}
	for name, target := range targets {
		if err := b.layBytecodeFile(name, target); err != nil {
			return fmt.Errorf("compile python: %w", err)
		}
	}
	return nil
}

func (p *Bytecode) libraryPath(root string) string {
	var folders []string
	for _, l := range p.Libraries {
		folders = append(folders, filepath.Join(root, l))
	}
	return strings.Join(folders, ":")
}

// layBytecodeFile puts a module's bytecode where PEP 3147 has it.
func (b *builder) layBytecodeFile(source, compiled string) error {
	f, err := os.Open(compiled)
	if err != nil {
		return err
	}
	defer f.Close()
	base := strings.TrimSuffix(path.Base(source), ".py")
	return b.tree.file(path.Join(path.Dir(source), "__pycache__", base+".cpython-311.pyc"), false, f)
}

// copyTo lays the tree out on the host, for programs of its own to run there. Links are kept as they are: an absolute
// one leads out of the copy.
func (t *tree) copyTo(root string) error {
	if err := os.Mkdir(root, 0o700); err != nil {
		return err
	}
	for _, name := range t.names() {
		e, to := t.entries[name], filepath.Join(root, name)
		var err error
		switch e.kind {
		case tar.TypeDir:
			err = os.Mkdir(to, 0o700)
		case tar.TypeSymlink:
			err = os.Symlink(e.link, to)
		default:
			err = copyFile(to, e.file)
			if err == nil && e.exec {
				err = os.Chmod(to, 0o700)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func copyFile(to, from string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = writeFile(to, f)
	return err
}
