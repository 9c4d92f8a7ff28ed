// Package assemble makes a scanner's image, bit for bit, from what its recipe names: packages of public registries,
// each pinned by version and hash, fetched with the registries' ordinary clients. The same recipe gives the same
// manifest digest on every machine and day. It knows no scanner and no lock.
package assemble

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"go.yaml.in/yaml/v3"
	"golang.org/x/mod/modfile"

	"github.com/scangate/scangate/images"
)

// Recipe says what goes into one image. Steps are laid in order; two steps may not place the same file.
type Recipe struct {
	Name      string            `yaml:"name"`
	Version   string            `yaml:"version"`   // the vendor's, of the tool
	Licence   string            `yaml:"licence"`   // SPDX, of the tool
	Platforms map[string][]Step `yaml:"platforms"` // key "linux/amd64"
}

// Step is one source. Exactly one member is set.
type Step struct {
	Wheel     *Wheel            `yaml:"wheel,omitempty"`
	Go        *GoProgram        `yaml:"go,omitempty"`
	Deb       *Deb              `yaml:"deb,omitempty"`
	Toolchain *Toolchain        `yaml:"toolchain,omitempty"`
	Bytecode  *Bytecode         `yaml:"bytecode,omitempty"`
	Files     map[string]string `yaml:"files,omitempty"` // path in the image -> text
}

// Wheel is one file of the Python Package Index. Project, version and platform are read from its name.
type Wheel struct {
	File   string `yaml:"file"`
	SHA256 string `yaml:"sha256"`
	// Extract maps a member to its path in the image; a member that ends in "/" is a folder. Anything below
	// *.data/scripts/ becomes executable, as pip does it.
	Extract map[string]string `yaml:"extract,omitempty"`
	// Install lays the whole wheel out into this folder of the image, such as usr/lib/python3/dist-packages.
	Install string `yaml:"install,omitempty"`
	// Exclude globs (doublestar) name members to leave out.
	Exclude []string `yaml:"exclude,omitempty"`
}

// GoProgram is a package of a Go module, built with a pinned toolchain. The modules and their hashes are in NAME.mod
// and NAME.sum beside the recipe.
type GoProgram struct {
	Package   string `yaml:"package"`
	Toolchain string `yaml:"toolchain"` // "go1.26.8"
	LDFlags   string `yaml:"ldflags,omitempty"`
	Path      string `yaml:"path"` // in the image
	// Files are taken from the package's module as they are, but for a cut.
	Files []ModuleFile `yaml:"files,omitempty"`

	Mod, Sum []byte `yaml:"-"`
}

// ModuleFile is a file of a Go module, such as a tool's default configuration.
type ModuleFile struct {
	From string `yaml:"from"` // below the module
	Path string `yaml:"path"` // in the image
	// Cut is two marks, or none: what lies between them goes, and they too. The first has to be there once.
	Cut []string `yaml:"cut,omitempty"`
}

// Deb is one Debian package. The globs (doublestar, on the path without a leading "/") choose what of it is laid out;
// no Include means everything.
type Deb struct {
	Name    string   `yaml:"name"`
	Version string   `yaml:"version"`
	SHA256  string   `yaml:"sha256"`
	Include []string `yaml:"include,omitempty"`
	Exclude []string `yaml:"exclude,omitempty"`
}

// Toolchain is a Go toolchain as the module golang.org/toolchain has it, laid out at Path.
type Toolchain struct {
	Version string   `yaml:"version"` // "go1.26.8"
	SHA256  string   `yaml:"sha256"`  // of the module's zip
	Path    string   `yaml:"path"`
	Exclude []string `yaml:"exclude,omitempty"` // globs below Path
	// Exports adds the standard library's export data, compiled without cgo. With GODEBUG=installgoroot=all and
	// CGO_ENABLED=0 in its environment, "go list -export" then compiles nothing of it: 0.25 s instead of 20 CPU
	// seconds for a program with net/http (Go 1.26.8), from a read-only GOROOT and an empty build cache.
	Exports bool `yaml:"exports,omitempty"`
}

// Bytecode compiles Python sources laid so far with the image's own interpreter, run on the host through the image's own
// loader. A read-only image could not keep what the interpreter compiles: each run would do it again.
type Bytecode struct {
	Python    string   `yaml:"python"`    // path of the interpreter, in prefix /usr
	Loader    string   `yaml:"loader"`    // path of ld.so itself, not of a link to it
	Libraries []string `yaml:"libraries"` // folders of shared libraries
	Include   []string `yaml:"include"`   // globs of sources
	Exclude   []string `yaml:"exclude,omitempty"`
}

// Recipes returns the recipes built into this release, by name.
func Recipes() (map[string]Recipe, error) {
	folder, err := fs.Sub(images.Recipes, "recipes")
	if err != nil {
		return nil, fmt.Errorf("read recipes: %w", err)
	}
	return LoadRecipes(folder)
}

// LoadRecipes reads every NAME.yaml of a folder.
func LoadRecipes(folder fs.FS) (map[string]Recipe, error) {
	names, err := fs.Glob(folder, "*.yaml")
	if err != nil {
		return nil, fmt.Errorf("read recipes: %w", err)
	}
	recipes := map[string]Recipe{}
	for _, name := range names {
		r, err := loadRecipe(folder, name)
		if err != nil {
			return nil, fmt.Errorf("read recipe %s: %w", name, err)
		}
		recipes[r.Name] = r
	}
	return recipes, nil
}

func loadRecipe(folder fs.FS, name string) (Recipe, error) {
	source, err := fs.ReadFile(folder, name)
	if err != nil {
		return Recipe{}, err
	}
	r, err := ParseRecipe(source)
	if err != nil {
		return Recipe{}, err
	}
	base := strings.TrimSuffix(name, ".yaml")
	if r.Name != base {
		return Recipe{}, fmt.Errorf("name is %q", r.Name)
	}
	for _, steps := range r.Platforms {
		for _, s := range steps {
			if s.Go == nil {
				continue
			}
			if s.Go.Mod, err = fs.ReadFile(folder, base+".mod"); err != nil {
				return Recipe{}, err
			}
			if s.Go.Sum, err = fs.ReadFile(folder, base+".sum"); err != nil {
				return Recipe{}, err
			}
			if _, err := s.Go.module(); err != nil {
				return Recipe{}, err
			}
		}
	}
	return r, nil
}

// ParseRecipe decodes one recipe. Unknown keys are refused with their line.
func ParseRecipe(source []byte) (Recipe, error) {
	dec := yaml.NewDecoder(bytes.NewReader(source))
	dec.KnownFields(true)
	var r Recipe
	if err := dec.Decode(&r); err != nil {
		return Recipe{}, err
	}
	if err := dec.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return Recipe{}, errors.New("more than one document")
	}
	if r.Name == "" || r.Version == "" || r.Licence == "" {
		return Recipe{}, errors.New("name, version and licence must be set")
	}
	if len(r.Platforms) == 0 {
		return Recipe{}, errors.New("no platform")
	}
	for platform, steps := range r.Platforms {
		if _, err := architecture(platform); err != nil {
			return Recipe{}, err
		}
		if len(steps) == 0 {
			return Recipe{}, fmt.Errorf("%s: no step", platform)
		}
		for i, s := range steps {
			if err := s.check(); err != nil {
				return Recipe{}, fmt.Errorf("%s: step %d: %w", platform, i+1, err)
			}
		}
	}
	return r, nil
}

// architecture is the part after linux/, which Go, OCI and Debian spell the same for these two.
func architecture(platform string) (string, error) {
	switch platform {
	case "linux/amd64", "linux/arm64":
		return strings.TrimPrefix(platform, "linux/"), nil
	}
	return "", fmt.Errorf("platform %q is not linux/amd64 or linux/arm64", platform)
}

var (
	sumForm       = regexp.MustCompile(`^[0-9a-f]{64}$`)
	wheelForm     = regexp.MustCompile(`^[A-Za-z0-9_.]+-[A-Za-z0-9_.!+]+(-[0-9][A-Za-z0-9_]*)?-[a-z0-9_.]+-[a-z0-9_.]+-[a-z0-9_.]+\.whl$`)
	debForm       = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]+$`)
	debVersion    = regexp.MustCompile(`^[0-9][A-Za-z0-9.+:~-]*$`)
	toolchainForm = regexp.MustCompile(`^go1\.[0-9]+\.[0-9]+$`)
)

func (s Step) check() error {
	set := 0
	var err error
	if w := s.Wheel; w != nil {
		set++
		err = w.check()
	}
	if g := s.Go; g != nil {
		set++
		if g.Package == "" || !toolchainForm.MatchString(g.Toolchain) {
			err = errors.New("go: package and toolchain (go1.N.M) must be set")
		} else {
			err = checkPaths(g.Path)
			for _, f := range g.Files {
				err = errors.Join(err, f.check())
			}
		}
	}
	if d := s.Deb; d != nil {
		set++
		if !debForm.MatchString(d.Name) || !debVersion.MatchString(d.Version) || !sumForm.MatchString(d.SHA256) {
			err = errors.New("deb: name, version and sha256 (64 hex digits) must be set")
		} else {
			err = checkGlobs(d.Include, d.Exclude)
		}
	}
	if t := s.Toolchain; t != nil {
		set++
		if !toolchainForm.MatchString(t.Version) || !sumForm.MatchString(t.SHA256) {
			err = errors.New("toolchain: version (go1.N.M) and sha256 (64 hex digits) must be set")
		} else {
			err = errors.Join(checkPaths(t.Path), checkGlobs(t.Exclude))
		}
	}
	if b := s.Bytecode; b != nil {
		set++
		err = errors.Join(checkPaths(append([]string{b.Python, b.Loader}, b.Libraries...)...), checkGlobs(b.Include, b.Exclude))
	}
	if s.Files != nil {
		set++
		for p := range s.Files {
			err = errors.Join(err, checkPaths(p))
		}
	}
	if set != 1 {
		return fmt.Errorf("%d sources in one step", set)
	}
	return err
}

func (w *Wheel) check() error {
	if !wheelForm.MatchString(w.File) || !sumForm.MatchString(w.SHA256) {
		return errors.New("wheel: file (NAME-VERSION-PYTHON-ABI-PLATFORM.whl) and sha256 (64 hex digits) must be set")
	}
	if (w.Install == "") == (len(w.Extract) == 0) {
		return errors.New("wheel: either extract or install must be set")
	}
	if err := checkGlobs(w.Exclude); err != nil {
		return err
	}
	if w.Install != "" {
		return checkPaths(w.Install)
	}
	for _, to := range w.Extract {
		if err := checkPaths(strings.TrimSuffix(to, "/")); err != nil {
			return err
		}
	}
	return nil
}

// module is the package's module, which has to be among the requirements of the committed module file.
func (g *GoProgram) module() (string, error) {
	mod, err := modfile.Parse("go.mod", g.Mod, nil)
	if err != nil {
		return "", err
	}
	for _, r := range mod.Require {
		if g.Package == r.Mod.Path || strings.HasPrefix(g.Package, r.Mod.Path+"/") {
			return r.Mod.Path, nil
		}
	}
	return "", fmt.Errorf("no module of %s among the requirements", g.Package)
}

func (f ModuleFile) check() error {
	if len(f.Cut) != 0 && (len(f.Cut) != 2 || f.Cut[0] == "" || f.Cut[1] == "") {
		return fmt.Errorf("%s: cut wants two marks", f.From)
	}
	return checkPaths(f.From, f.Path)
}

// checkPaths wants clean paths below the root, without a leading "/".
func checkPaths(paths ...string) error {
	for _, p := range paths {
		if !fs.ValidPath(p) || p == "." || path.Clean(p) != p {
			return fmt.Errorf("path %q is not a clean path below the root", p)
		}
	}
	return nil
}

func checkGlobs(lists ...[]string) error {
	for _, g := range slices.Concat(lists...) {
		if !doublestar.ValidatePattern(g) {
			return fmt.Errorf("glob %q is malformed", g)
		}
	}
	return nil
}
