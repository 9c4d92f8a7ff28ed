//go:build e2e && linux

package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// mount puts a tmpfs there until the test ends.
func mount(t *testing.T, at string, flags uintptr, options string) {
	t.Helper()
	if err := os.MkdirAll(at, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", at, "tmpfs", flags, options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Unmount(at, syscall.MNT_DETACH) })
}

// fill leaves no byte free.
func fill(t *testing.T, dir string) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "fill"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}

func TestFoldersOfItsOwnThatItCannotUse(t *testing.T) {
	needRoot(t)
	bin, clean := command(t), cleanFolder(t)
	for _, c := range []struct {
		name string
		with func(t *testing.T, h house) (env []string, args []string)
		exit int
		say  string
	}{
		{"no HOME", func(t *testing.T, h house) ([]string, []string) {
			return []string{"HOME=", "XDG_CACHE_HOME=", "XDG_STATE_HOME="}, nil
		}, 2, "home is not set"},
		{"a HOME that is relative", func(t *testing.T, h house) ([]string, []string) {
			return []string{"HOME=h", "XDG_CACHE_HOME=", "XDG_STATE_HOME="}, nil
		}, 2, "not absolute"},
		{"XDG folders that are relative are passed over", func(t *testing.T, h house) ([]string, []string) {
			if err := os.Symlink(h.cache, filepath.Join(h.dir, ".cache")); err != nil {
				t.Fatal(err)
			}
			return []string{"XDG_CACHE_HOME=cache/x", "XDG_STATE_HOME=x"}, nil
		}, 0, ""},
		{"a HOME that is read-only", func(t *testing.T, h house) ([]string, []string) {
			mount(t, filepath.Join(h.dir, "ro"), syscall.MS_RDONLY, "")
			return []string{"HOME=" + filepath.Join(h.dir, "ro"), "XDG_CACHE_HOME=", "XDG_STATE_HOME="}, nil
		}, 2, "read-only file system"},
		{"a state on a full disk", func(t *testing.T, h house) ([]string, []string) {
			mount(t, h.state, 0, "size=1m")
			fill(t, h.state)
			return nil, nil
		}, 2, "no space left"},
		{"a state without room for the init", func(t *testing.T, h house) ([]string, []string) {
			mount(t, h.state, 0, "size=1m")
			return nil, nil
		}, 2, "no space left"},
		{"a cache on a full disk", func(t *testing.T, h house) ([]string, []string) {
			full := filepath.Join(h.dir, "full")
			mount(t, full, 0, "size=1m")
			fill(t, full)
			return []string{"XDG_CACHE_HOME=" + full}, nil
		}, 2, "no space left"},
		{"a cache without room for the snapshot", func(t *testing.T, h house) ([]string, []string) {
			mount(t, filepath.Join(h.cache, "scangate", "runs"), 0, "size=1m")
			dir := t.TempDir()
			write(t, dir, map[string]string{"big.sh": "#!/bin/sh\n" + strings.Repeat("# padding\n", 200_000)}, nil)
			return nil, []string{dir}
		}, 2, "no space left"},
		{"a cache without room for the root file system", func(t *testing.T, h house) ([]string, []string) {
			small := emptyHouse(t)
			mount(t, small.cache, 0, "size=20m")
			small.ownImages(t, "shellcheck")
			return []string{"XDG_CACHE_HOME=" + small.cache}, nil
		}, 3, "no space left"},
		{"a cache where nothing may be run", func(t *testing.T, h house) ([]string, []string) {
			noexec := emptyHouse(t)
			mount(t, noexec.cache, syscall.MS_NOEXEC, "size=200m")
			noexec.ownImages(t, "shellcheck")
			return []string{"XDG_CACHE_HOME=" + noexec.cache}, nil
		}, 0, ""}, // root's own mount of it may run programs
		{"a state where nothing may be run", func(t *testing.T, h house) ([]string, []string) {
			mount(t, h.state, syscall.MS_NOEXEC, "")
			return nil, nil
		}, 2, "permission denied"},
		{"a cache inside the workspace", func(t *testing.T, h house) ([]string, []string) {
			return []string{"XDG_CACHE_HOME=" + filepath.Join(clean, "c")}, nil
		}, 2, "lies in the workspace"},
		{"a state inside the workspace", func(t *testing.T, h house) ([]string, []string) {
			return []string{"XDG_STATE_HOME=" + filepath.Join(clean, "s")}, nil
		}, 2, "lies in the workspace"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t)
			env, args := c.with(t, h)
			if len(args) == 0 {
				args = []string{clean}
			}
			r := runIn(t, h.dir, append(h.env(), env...), bin, "run", args[0], "--engine", "embedded", "--scanner", "shellcheck")
			check(t, r, c.exit, c.say)
		})
	}
	if entries, err := os.ReadDir(clean); err != nil || len(entries) != 1 {
		t.Errorf("the workspace holds %v, %v", entries, err)
	}
}

func TestAnOrdinaryUserWithoutAHome(t *testing.T) {
	needRoot(t)
	h := emptyHouse(t)
	env := []string{"HOME=/nonexistent", "XDG_CACHE_HOME=", "XDG_STATE_HOME="}
	bin := copyFile(t, command(t), filepath.Join(h.dir, "scangate"), 0o755)
	c := h.asUser(t, program(t, h.dir, env, bin, "run", h.dir))
	check(t, await(t, c), 2, "mkdir /nonexistent: permission denied", "hint: set xdg_cache_home")
}

// A shell puts the command into a narrow place.
func TestNarrowPlacesGiveTheSameResult(t *testing.T) {
	bin, dir := command(t), cleanFolder(t)
	for _, engine := range engines {
		want := newHouse(t).run(t, bin, engine, "shellcheck", dir, "--format", "json", "--as-of", day)
		check(t, want, 0)
		for _, c := range []struct {
			name, script string
			exits        []int
		}{
			{"64 open files", `ulimit -n 64; exec "$0" "$@"`, []int{0}},
			{"12 open files", `ulimit -n 12; exec "$0" "$@"`, []int{2, 3}},
			{"4 GB of addresses", `ulimit -v 4000000; exec "$0" "$@"`, []int{0}},
			{"0.5 GB of addresses, too few for Go", `ulimit -v 500000; exec "$0" "$@"`, []int{2}},
			{"umask 077", `umask 077; exec "$0" "$@"`, []int{0}},
			{"umask 000", `umask 000; exec "$0" "$@"`, []int{0}},
			{"umask 777", `umask 777; exec "$0" "$@"`, []int{0, 2}},
			{"a working directory that is gone", `mkdir gone && cd gone && rmdir ../gone && exec "$0" "$@"`, []int{0, 3}},
		} {
			t.Run(engine+"/"+c.name, func(t *testing.T) {
				h := newHouse(t)
				r := runIn(t, h.dir, h.env(), "/bin/sh", "-c", c.script, bin, "run", dir, "--engine", engine, "--scanner", "shellcheck",
					"--format", "json", "--as-of", day)
				ok := false
				for _, e := range c.exits {
					ok = ok || r.exit == e
				}
				if !ok {
					t.Errorf("exit status %d, want %v: %s", r.exit, c.exits, r.stderr)
				}
				if r.exit == 0 && string(r.stdout) != string(want.stdout) {
					t.Errorf("another result: %s", r.stdout)
				}
			})
		}
	}
}

func TestFoldersToScan(t *testing.T) {
	needRoot(t)
	bin := command(t)
	long := longFolder(t)
	readOnly := filepath.Join(t.TempDir(), "ro")
	mount(t, readOnly, 0, "")
	write(t, readOnly, map[string]string{"ok.sh": "#!/bin/sh\nrm -rf \"$1\"\n"}, nil)
	if err := syscall.Mount("tmpfs", readOnly, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	for _, engine := range engines {
		h := newHouse(t)
		for _, c := range []struct {
			name, dir string
			exit      int
			say       string
		}{
			{"a file", filepath.Join(readOnly, "ok.sh"), 2, "is not a folder"},
			{"nothing", filepath.Join(readOnly, "absent"), 2, "no such file"},
			{"an empty folder", t.TempDir(), 3, "verdict=incomplete"},
			{"a path of over 4,000 bytes", long, 0, ""},
			{"a path of over 4,096 bytes", long + "/" + strings.Repeat("x", 200), 2, "open workspace: "},
			{"a read-only mount", readOnly, 0, ""},
		} {
			t.Run(engine+"/"+c.name, func(t *testing.T) {
				check(t, h.run(t, bin, engine, "shellcheck", c.dir), c.exit, c.say)
			})
		}
	}
}

func longFolder(t *testing.T) string {
	dir := t.TempDir()
	for len(dir) < 3900 {
		dir += "/" + strings.Repeat("d", 190)
	}
	if n := 4040 - len(dir); n > 1 {
		dir += "/" + strings.Repeat("e", n-1)
	}
	write(t, dir, map[string]string{"ok.sh": "#!/bin/sh\nrm -rf \"$1\"\n"}, nil)
	return dir
}

func TestAFolderThatTheUserMayNotRead(t *testing.T) {
	needRoot(t)
	h := emptyHouse(t)
	h.ownImages(t, "shellcheck")
	bin := copyFile(t, command(t), filepath.Join(h.dir, "scangate"), 0o755)
	dir := cleanFolder(t)
	for above := dir; above != os.TempDir(); above = filepath.Dir(above) {
		if err := os.Chmod(above, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name         string
		folder, file fs.FileMode
		exit         int
		say          string
	}{
		{"everything may be read", 0o755, 0o644, 0, "verdict=pass"},
		{"the file may not", 0o755, 0o600, 3, "verdict=incomplete"},
		{"the folder may not be listed", 0o711, 0o644, 2, "permission denied"},
		{"the folder may not be entered", 0o700, 0o644, 2, "permission denied"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := errors.Join(os.Chmod(filepath.Join(dir, "ok.sh"), c.file), os.Chmod(dir, c.folder)); err != nil {
				t.Fatal(err)
			}
			r := await(t, h.asUser(t, program(t, h.dir, h.env(), bin, "run", dir, "--engine", "embedded", "--scanner", "shellcheck")))
			check(t, r, c.exit, c.say)
		})
	}
}

// looks is all that can be seen of a tree without reading it; reading changes the access time alone.
func looks(t *testing.T, dir string) string {
	t.Helper()
	var out strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var s syscall.Stat_t
		if err := syscall.Lstat(path, &s); err != nil {
			return err
		}
		fmt.Fprintln(&out, path, s.Ino, s.Mode, s.Uid, s.Gid, s.Nlink, s.Size, s.Mtim, s.Ctim)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestNothingIsWrittenIntoTheWorkspace(t *testing.T) {
	bin, dir := command(t), t.TempDir()
	write(t, dir, map[string]string{"run.sh": unquote, "run.py": shellPy, "go.mod": goMod, "m.go": md5Go, workflow: inject,
		"Dockerfile": sudo, "app.cfg": "token = \"" + token + "\"\n", ".git/HEAD": "ref: refs/heads/main\n", "empty/.keep": ""}, nil)
	before := looks(t, dir)
	for _, engine := range engines {
		h := newHouse(t)
		r := runIn(t, dir, h.env(), bin, "--engine", engine)
		check(t, r, 1)
		if after := looks(t, dir); after != before {
			t.Errorf("%s changed the workspace\n%s\nto\n%s", engine, before, after)
		}
	}
}
