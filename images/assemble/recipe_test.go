package assemble

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/scangate/scangate/images"
)

const sum64 = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

const small = `name: tool
version: 1.0.0
licence: MIT
platforms:
  linux/amd64:
    - wheel:
        file: tool-1.0.0-py3-none-any.whl
        sha256: ` + sum64 + `
        extract:
          tool/bin: usr/bin/tool
    - deb:
        name: libc6
        version: 1:2.36-9
        sha256: ` + sum64 + `
        include: [lib/**]
    - files:
        etc/tool.conf: |
          quiet
`

func TestParseRecipeRefuses(t *testing.T) {
	if _, err := ParseRecipe([]byte(small)); err != nil {
		t.Fatalf("the recipe that the rows change: %v", err)
	}
	rows := []struct{ name, old, new, want string }{
		{"an unknown key, with its line", "extract:", "extrakt:", "line 9: field extrakt not found"},
		{"an unknown source", "- wheel:", "- weel:", "line 6: field weel not found"},
		{"a recipe without a licence", "licence: MIT\n", "", "name, version and licence"},
		{"a platform it cannot build for", "linux/amd64", "linux/mips", `platform "linux/mips"`},
		{"a wheel without a hash", "        sha256: " + sum64 + "\n        extract", "        extract", "step 1: wheel: file"},
		{"a short hash", sum64, sum64[1:], "sha256 (64 hex digits)"},
		{"a wheel name that climbs", "tool-1.0.0-py3-none-any.whl", "../tool-1.0.0-py3-none-any.whl", "step 1: wheel: file"},
		{"a file that is no wheel", "any.whl", "any.zip", "step 1: wheel: file"},
		{"a target outside the root", "usr/bin/tool", "../usr/bin/tool", `path "../usr/bin/tool"`},
		{"an absolute target", "usr/bin/tool", "/usr/bin/tool", `path "/usr/bin/tool"`},
		{"an inline file outside the root", "etc/tool.conf", "../etc/tool.conf", "is not a clean path"},
		{"a deb name that is an option", "name: libc6", "name: --help", "deb: name"},
		{"a deb version that is an option", "1:2.36-9", "-o", "deb: name"},
		{"a malformed glob", "[lib/**]", "['lib/[']", `glob "lib/["`},
		{"two sources in one step", "    - deb:", "      deb:", "2 sources in one step"},
		{"a step of nothing", "    - files:\n        etc/tool.conf: |\n          quiet\n", "    - {}\n", "0 sources in one step"},
		{"a second document", "name: tool", "name: tool\nversion: 1\nlicence: MIT\n---\nname: tool", "more than one document"},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			changed := strings.Replace(small, r.old, r.new, 1)
			if changed == small {
				t.Fatal("the row changes nothing")
			}
			_, err := ParseRecipe([]byte(changed))
			if err == nil || !strings.Contains(err.Error(), r.want) {
				t.Errorf("got %v, want an error with %q", err, r.want)
			}
		})
	}
}

const goRecipe = `name: tool
version: 1.0.0
licence: MIT
platforms:
  linux/amd64:
    - go:
        package: example.com/tool/cmd/tool
        toolchain: go1.26.8
        path: usr/bin/tool
`

func TestLoadRecipesTakesModuleFilesAlong(t *testing.T) {
	folder := fstest.MapFS{
		"tool.yaml": {Data: []byte(goRecipe)},
		"tool.mod":  {Data: []byte("module x.invalid\n\ntool example.com/tool/cmd/tool\n\nrequire example.com/tool v1.0.0\n")},
		"tool.sum":  {Data: []byte("sums")},
	}
	recipes, err := LoadRecipes(folder)
	if err != nil {
		t.Fatal(err)
	}
	if g := recipes["tool"].Platforms["linux/amd64"][0].Go; string(g.Sum) != "sums" || len(g.Mod) == 0 {
		t.Errorf("module files: %q, %q", g.Mod, g.Sum)
	}

	delete(folder, "tool.sum")
	if _, err := LoadRecipes(folder); err == nil || !strings.Contains(err.Error(), "tool.sum") {
		t.Errorf("without tool.sum: %v", err)
	}
	folder["tool.sum"] = &fstest.MapFile{}
	folder["tool.mod"] = &fstest.MapFile{Data: []byte("module x.invalid\n\nrequire example.com/toolbox v1.0.0\n")}
	if _, err := LoadRecipes(folder); err == nil || !strings.Contains(err.Error(), "no module of example.com/tool/cmd/tool") {
		t.Errorf("with another module required: %v", err)
	}
	if _, err := LoadRecipes(fstest.MapFS{"other.yaml": {Data: []byte(small)}}); err == nil || !strings.Contains(err.Error(), `name is "tool"`) {
		t.Errorf("under another name: %v", err)
	}
}

func TestEveryLockedImageHasItsRecipe(t *testing.T) {
	recipes, err := Recipes()
	if err != nil {
		t.Fatal(err)
	}
	lock, err := images.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	for name, image := range lock.Images {
		for platform := range image.Platforms {
			if image.Source == images.FromRecipe && len(recipes[name].Platforms[platform]) == 0 {
				t.Errorf("%s for %s is locked and has no recipe", name, platform)
			}
		}
	}
	for name := range recipes {
		if _, err := lock.Pin(name, "linux/amd64"); err != nil {
			t.Errorf("a recipe that is not locked: %v", err)
		}
	}
}

func FuzzParseRecipe(f *testing.F) {
	f.Add([]byte(small))
	f.Add([]byte(goRecipe))
	f.Fuzz(func(t *testing.T, source []byte) {
		r, err := ParseRecipe(source)
		if err == nil && (r.Name == "" || len(r.Platforms) == 0) {
			t.Fatalf("accepted %+v", r)
		}
	})
}
