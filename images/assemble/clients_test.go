package assemble

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// client puts a shell script in a registry client's place.
func client(t *testing.T, name, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

const servedNow = ` libc6 | 2.36-9+deb12u16 | mirror bookworm-security/main amd64 Packages
 libc6 | 2.36-9+deb12u15 | mirror bookworm/main amd64 Packages
`

func TestAPinThatIsGoneIsNamed(t *testing.T) {
	client(t, "apt-get", "[ $2 = update ] || { echo 'E: Version not found' >&2; exit 100; }")
	client(t, "apt-cache", "cat <<'END'\n"+servedNow+"END\n")
	step := Step{Deb: &Deb{Name: "libc6", Version: "2.36-9+deb12u14", SHA256: sum64}}
	_, _, err := buildLines(t, t.TempDir(), recipe(step))
	var gone *GoneError
	if !errors.As(err, &gone) {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{"package libc6: want version 2.36-9+deb12u14", "2.36-9+deb12u16, 2.36-9+deb12u15", "scangate images refresh tool"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}

	step.Deb.Version = "2.36-9+deb12u15"
	_, _, err = buildLines(t, t.TempDir(), recipe(step))
	if err == nil || errors.As(err, &gone) || !strings.Contains(err.Error(), "Version not found") {
		t.Errorf("a failure of another kind: %v", err)
	}
}

func TestAFetchedFileWithAnotherHashIsRefused(t *testing.T) {
	cache := t.TempDir()
	file := "tool-1.0.0-py3-none-any.whl"
	client(t, "python3", `while [ "$1" != --dest ]; do shift; done; echo other > "$2/`+file+`"`)
	_, _, err := buildLines(t, cache, recipe(Step{Wheel: &Wheel{File: file, SHA256: sum64, Install: "site"}}))
	var mismatch *HashError
	if !errors.As(err, &mismatch) || mismatch.Want != sum64 {
		t.Errorf("got %v", err)
	}
	left, err := filepath.Glob(filepath.Join(cache, "*", "*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestPipIsAskedForOneFileOnly(t *testing.T) {
	cache := t.TempDir()
	content := toolWheel(t)
	sum := keep(t, t.TempDir(), content)
	file := "tool-1.0.0-cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.whl"
	source := filepath.Join(t.TempDir(), "wheel")
	if err := os.WriteFile(source, content, 0o600); err != nil {
		t.Fatal(err)
	}
	client(t, "python3", `echo "$@" > "`+source+`.args"; while [ "$1" != --dest ]; do shift; done
cp "$4" "`+source+`.list"; cp "`+source+`" "$2/`+file+`"`)
	for range 2 { // the second time pip is not asked
		if _, _, err := buildLines(t, cache, recipe(Step{Wheel: &Wheel{File: file, SHA256: sum, Install: "site"}})); err != nil {
			t.Fatal(err)
		}
		client(t, "python3", "exit 1")
	}
	list, err := os.ReadFile(source + ".list")
	if err != nil || string(list) != "tool==1.0.0 --hash=sha256:"+sum+"\n" {
		t.Errorf("requirements %q, %v", list, err)
	}
	args, err := os.ReadFile(source + ".args")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"--require-hashes", "--no-deps", "--only-binary :all:", "--platform manylinux2014_x86_64 --platform manylinux_2_17_x86_64"} {
		if !strings.Contains(string(args), want) {
			t.Errorf("pip's arguments %q lack %q", args, want)
		}
	}
}

func TestRefreshPrefersTheSuiteThatStays(t *testing.T) {
	client(t, "apt-cache", `case "$1 $2" in
"madison libc6:amd64") cat <<'END'
`+servedNow+`END
;;
"show libc6:amd64=2.36-9+deb12u15") echo "Package: libc6"; echo "SHA256: `+strings.Repeat("b", 64)+`";;
*) exit 1;;
esac`)
	source := []byte(strings.Replace(small, `1:2.36-9`, `2.36-9+deb12u14`, 1))
	r, err := ParseRecipe(source)
	if err != nil {
		t.Fatal(err)
	}
	now, changes, err := Refresh(context.Background(), r, "linux/amd64")
	if err != nil {
		t.Fatal(err)
	}
	want := []Change{{Package: "libc6", Version: "2.36-9+deb12u15", Was: "2.36-9+deb12u14", SHA256: strings.Repeat("b", 64), WasSum: sum64}}
	if !slices.Equal(changes, want) {
		t.Errorf("changes %+v", changes)
	}
	if d := r.Platforms["linux/amd64"][1].Deb; d.Version != "2.36-9+deb12u14" {
		t.Errorf("the recipe that was given changed: %+v", d)
	}

	text, err := Rewrite(source, changes)
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseRecipe(text)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := *again.Platforms["linux/amd64"][1].Deb, *now.Platforms["linux/amd64"][1].Deb; got.Version != want.Version || got.SHA256 != want.SHA256 {
		t.Errorf("the rewritten text has %+v, Refresh returned %+v", got, want)
	}
	if bytes.Count(text, []byte(sum64)) != 1 {
		t.Error("the wheel's hash was rewritten too")
	}
	if _, err := Rewrite(text, changes); err == nil {
		t.Error("a pin that is not there was rewritten")
	}
}

func TestExportDataIsTheFirstMember(t *testing.T) {
	const magic = "!<arch>\n__.PKGDEF       0           0     0     644     "
	rows := []struct{ name, archive, want, err string }{
		{"an archive with object code", magic + "3         `\nabc\n_go_.o and more", magic + "3         `\nabc\n", ""},
		{"export data alone", magic + "4         `\nabcd", magic + "4         `\nabcd", ""},
		{"cut export data", magic + "9         `\nabc", "", "ends after 3"},
		{"no size", magic + "x         `\nabc", "", "size"},
		{"another first member", strings.Replace(magic, "__.PKGDEF", "_go_.o   ", 1) + "3         `\nabc\n", "", "does not begin"},
		{"nothing", "", "", "EOF"},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			got, err := exportData(strings.NewReader(r.archive))
			if string(got) != r.want || (err == nil) != (r.err == "") || err != nil && !strings.Contains(err.Error(), r.err) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func FuzzExportData(f *testing.F) {
	f.Add([]byte("!<arch>\n__.PKGDEF       0           0     0     644     3         `\nabc\n"))
	f.Fuzz(func(t *testing.T, archive []byte) {
		got, err := exportData(bytes.NewReader(archive))
		if err == nil && !bytes.HasPrefix(archive, got) {
			t.Fatalf("%q is no prefix", got)
		}
	})
}

func FuzzParseMadison(f *testing.F) {
	f.Add(servedNow)
	f.Fuzz(func(t *testing.T, text string) {
		list, err := parseMadison(text)
		if err == nil && len(list) != strings.Count(text, "|")/2 {
			t.Fatalf("versions %+v from %q", list, text)
		}
	})
}
