package assemble

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// fetchDebs asks apt for all packages in one go, and once more after an update of its lists.
func (b *builder) fetchDebs(ctx context.Context, incoming string, debs []Deb) error {
	args := []string{"-q", "download"}
	for _, d := range debs {
		b.Log("fetch " + d.Name + " " + d.Version)
		args = append(args, fmt.Sprintf("%s:%s=%s", d.Name, b.arch, d.Version))
	}
	_, err := command(ctx, incoming, aptEnv, "apt-get", args...)
	if err != nil && os.Geteuid() == 0 {
		b.Log("update apt's lists")
		if _, err := command(ctx, incoming, aptEnv, "apt-get", "-q", "update"); err != nil {
			return fmt.Errorf("update apt's lists: %w", err)
		}
		_, err = command(ctx, incoming, aptEnv, "apt-get", args...)
	}
	if err != nil {
		return b.explainDebs(ctx, debs, err)
	}
	for _, d := range debs {
		name := fmt.Sprintf("%s_%s", d.Name, strings.ReplaceAll(d.Version, ":", "%3a"))
		files, err := filepath.Glob(filepath.Join(incoming, name+"_*.deb"))
		if err != nil || len(files) != 1 {
			return fmt.Errorf("fetch %s: apt-get left %d files of that name", d.Name, len(files))
		}
		if err := b.store.keep(files[0], d.Name+" "+d.Version, d.SHA256); err != nil {
			return fmt.Errorf("fetch debs: %w", err)
		}
	}
	return nil
}

// GoneError means: a registry does not serve the pinned version any more.
type GoneError struct {
	Recipe, Package, Want string
	Served                []string
}

func (e *GoneError) Error() string {
	served := "none (are its lists there? apt-get update)"
	if len(e.Served) > 0 {
		served = strings.Join(e.Served, ", ")
	}
	return fmt.Sprintf("package %s: want version %s, apt serves %s (to pin what is served now: scangate images refresh %s images/recipes/%s.yaml)",
		e.Package, e.Want, served, e.Recipe, e.Recipe)
}

// explainDebs finds out which pins are gone; if none is, the client's own error stands.
func (b *builder) explainDebs(ctx context.Context, debs []Deb, cause error) error {
	var gone []error
	for _, d := range debs {
		served, err := servedDebs(ctx, d.Name+":"+b.arch)
		if err != nil {
			return fmt.Errorf("fetch debs: %w", errors.Join(cause, err))
		}
		e := &GoneError{Recipe: b.recipe.Name, Package: d.Name, Want: d.Version}
		for _, s := range served {
			if s.version == d.Version {
				e = nil
				break
			}
			e.Served = append(e.Served, s.version)
		}
		if e != nil {
			gone = append(gone, e)
		}
	}
	if len(gone) == 0 {
		return fmt.Errorf("fetch debs: %w", cause)
	}
	return errors.Join(gone...)
}

func (b *builder) layDeb(ctx context.Context, d Deb) (err error) {
	f, err := b.store.open(d.Name+" "+d.Version, d.SHA256)
	if err != nil {
		return err
	}
	defer f.Close()
	// The C library's packages come as xz, for which Go has no reader; every apt system has this one.
	cmd := exec.CommandContext(ctx, "dpkg-deb", "--fsys-tarfile", "/dev/stdin")
	cmd.Stdin = f
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("read %s: %w", d.Name, err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("read %s: %w", d.Name, err)
	}
	err = b.layTar(out, d)
	if err == nil {
		_, err = io.Copy(io.Discard, out)
	} else {
		err = errors.Join(err, cmd.Process.Kill())
	}
	if err := errors.Join(err, cmd.Wait()); err != nil {
		return fmt.Errorf("read %s: %w", d.Name, err)
	}
	return nil
}

func (b *builder) layTar(content io.Reader, d Deb) error {
	tr := tar.NewReader(content)
	placed := 0
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		name := path.Clean(strings.TrimPrefix(h.Name, "./"))
		if h.Typeflag == tar.TypeDir || !d.wants(name) {
			continue
		}
		placed++
		switch h.Typeflag {
		case tar.TypeReg:
			err = b.tree.file(name, h.Mode&0o111 != 0, tr)
		case tar.TypeSymlink:
			err = b.tree.symlink(name, h.Linkname)
		default:
			err = fmt.Errorf("place %s: type %q is neither file, folder nor symlink", name, h.Typeflag)
		}
		if err != nil {
			return err
		}
	}
	if placed == 0 {
		return errors.New("the globs choose nothing of it")
	}
	return nil
}

func (d *Deb) wants(name string) bool {
	return (len(d.Include) == 0 || anyMatch(d.Include, name)) && !anyMatch(d.Exclude, name)
}

// anyMatch holds the name against globs that were validated when the recipe was read.
func anyMatch(globs []string, name string) bool {
	for _, g := range globs {
		if doublestar.MatchUnvalidated(g, name) {
			return true
		}
	}
	return false
}
