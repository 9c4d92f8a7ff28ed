package store

import (
	"archive/tar"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const canaryText = "nobody may touch this"

// unpackIn applies layers to a root between canaries: files beside and above it that a hostile layer would reach.
func unpackIn(t testing.TB, l limits, layers ...[]byte) (root string, err error) {
	t.Helper()
	base := t.TempDir()
	root = filepath.Join(base, "above", "root")
	if err := os.MkdirAll(root, 0o755); err != nil {
		t.Fatal(err)
	}
	canaries := []string{filepath.Join(base, "x"), filepath.Join(base, "above", "x")}
	for _, c := range canaries {
		if err := os.WriteFile(c, []byte(canaryText), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	before := outside(t, base, root)
	r, err := os.OpenRoot(root)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	x := newExtractor(r, l)
	for _, text := range layers {
		if err = x.apply(bytes.NewReader(text)); err != nil {
			break
		}
	}
	if err == nil {
		err = x.finish()
	}
	if after := outside(t, base, root); !slices.Equal(before, after) {
		t.Errorf("outside the root: %q, was %q", after, before)
	}
	for _, c := range canaries {
		if text, err := os.ReadFile(c); err != nil || string(text) != canaryText {
			t.Errorf("canary %s: %q %v", c, text, err)
		}
	}
	return root, err
}

func outside(t testing.TB, base, root string) []string {
	t.Helper()
	return slices.DeleteFunc(listing(t, base), func(line string) bool {
		inside, _ := filepath.Rel(base, root)
		return strings.HasPrefix(line, inside+"/") || strings.HasPrefix(line, inside+" ")
	})
}

func special(name string, kind byte) entry {
	return entry{tar.Header{Name: name, Typeflag: kind}, ""}
}

func pax(name, key, value string) entry {
	return entry{tar.Header{Name: name, PAXRecords: map[string]string{key: value}, Format: tar.FormatPAX}, "x"}
}

func TestHostileLayersAreRefusedByName(t *testing.T) {
	long := strings.Repeat(strings.Repeat("d", 200)+"/", 25)
	one := func(e ...entry) [][]entry { return [][]entry{e} }
	for _, row := range []struct {
		name, want string
		layers     [][]entry
	}{
		{"a name that goes up", `"../x": ".."`, one(reg("../x", "evil"))},
		{"a name that goes down and up", `".." in the name`, one(reg("a/../../x", "evil"))},
		{"a name that is up", `".." in the name`, one(dir(".."))},
		{"an absolute name", `"/x": an absolute name`, one(reg("/x", "evil"))},
		{"a folder with an absolute name", "an absolute name", one(dir("/abs"))},
		{"writing through a link out", `its parent "l" is not a directory`, one(sym("l", ".."), reg("l/x", "evil"))},
		{"writing through an absolute link", `its parent "l"`, one(sym("l", "/tmp"), reg("l/x", "evil"))},
		{"writing through a link inside", `its parent "l"`, one(dir("d"), sym("l", "d"), reg("l/x", "evil"))},
		{"writing through a link of a lower layer", `its parent "l"`, [][]entry{{sym("l", "..")}, {reg("l/x", "evil")}}},
		{"making a folder through a link", `its parent "l"`, one(sym("l", ".."), dir("l/d"))},
		{"linking through a link", `its parent "l"`, one(sym("l", ".."), sym("l/x", "y"))},
		{"a chain of links", `its parent "a/b"`, one(dir("a"), sym("a/b", ".."), reg("a/b/x", "evil"))},
		{"writing through a file", `its parent "f"`, one(reg("f", ""), reg("f/x", "evil"))},
		{"a whiteout through a link", `its parent "l"`, [][]entry{{sym("l", "..")}, {reg("l/.wh.x", "")}}},
		{"an opaque folder through a link", `its parent "l"`, [][]entry{{sym("l", "..")}, {reg("l/.wh..wh..opq", "")}}},
		{"a hard link to a file outside", `hard link to "../x"`, one(hard("h", "../x"))},
		{"a hard link to an absolute name", `hard link to "/etc/passwd": an absolute name`, one(hard("h", "/etc/passwd"))},
		{"a hard link to nothing", "not a file of this image", one(hard("h", "x"))},
		{"a hard link to a link", "not a file of this image", one(sym("l", "../x"), hard("h", "l"))},
		{"a hard link through a link", "not a file of this image", one(sym("l", ".."), hard("h", "l/x"))},
		{"a hard link to a folder", "not a file of this image", one(dir("d"), hard("h", "d"))},
		{"a hard link to itself", "not a file of this image", [][]entry{{reg("f", "f")}, {hard("f", "f")}}},
		{"a hard link to what it replaces", "not a file of this image", [][]entry{{reg("d/f", "f")}, {hard("d", "d/f")}}},
		{"a hard link to what was hidden", "not a file of this image", [][]entry{{reg("f", "f")}, {reg(".wh.f", ""), hard("h", "f")}}},
		{"a whiteout of nothing", "reserved name", one(reg(".wh.", ""))},
		{"a whiteout of the root", "reserved name", one(reg(".wh..", ""))},
		{"a whiteout of the folder above", "reserved name", one(reg(".wh...", ""))},
		{"a whiteout of the folder above, deeper", "reserved name", one(dir("d"), reg("d/.wh...", ""))},
		{"a whiteout of a whiteout", "reserved name", one(reg(".wh..wh.x", ""))},
		{"aufs metadata", "reserved name", one(reg(".wh..wh.plnk", ""))},
		{"a whiteout with text", "not an empty file", one(reg(".wh.x", "text"))},
		{"a whiteout that is a folder", "not an empty file", one(dir(".wh.x"))},
		{"something below a whiteout", "below a whiteout", one(reg(".wh.d/x", ""))},
		{"a whiteout of its own layer", "in the same layer", one(reg("f", ""), reg(".wh.f", ""))},
		{"a character device", `"dev/null": a device`, one(special("dev/null", tar.TypeChar))},
		{"a block device", "a device", one(special("sda", tar.TypeBlock))},
		{"a FIFO", "a FIFO", one(special("pipe", tar.TypeFifo))},
		{"a contiguous file", "entry type", one(special("c", tar.TypeCont))},
		{"a file twice", `"f": twice`, one(reg("f", "a"), reg("f", "b"))},
		{"a file twice by another spelling", `"./f": twice`, one(reg("f", "a"), reg("./f", "b"))},
		{"a link, then a file of its name", `"f": twice`, one(sym("f", "../x"), reg("f", "b"))},
		{"a file, then a folder", "twice", one(reg("f", "a"), dir("f"))},
		{"a folder, then a file", "twice", one(dir("f"), reg("f", "a"))},
		{"a folder made on the way, then a link", "twice", [][]entry{{reg("d/a", "")}, {reg("d/b", ""), sym("d", "..")}}},
		{"a path longer than PATH_MAX", "at most", one(reg(long+"x", ""))},
		{"a name longer than NAME_MAX", "at most", one(reg(strings.Repeat("n", 300), ""))},
		{"a root that is a file", "the root is not a directory", one(reg(".", "x"))},
		{"a root that is a link", "the root is not a directory", one(sym(".", "/"))},
		{"a sparse file by PAX", "PAX record", one(pax("f", "SCHILY.realsize", "1000000000000"))},
		{"an unknown PAX record", `PAX record "SCANGATE.x"`, one(pax("f", "SCANGATE.x", "y"))},
		{"a time before 1970", "mtime", one(entry{tar.Header{Name: "f", ModTime: time.Unix(-5, 0), Format: tar.FormatPAX}, ""})},
		{"/dev is a link", "/dev is not a real directory", one(sym("dev", "/proc"))},
		{"/proc is a file", "/proc is not a real directory", one(reg("proc", ""))},
		{"/workspace is a link", "/workspace is not a real directory", one(sym("workspace", ".."))},
		{"/scangate becomes a link", "/scangate is not a real directory", [][]entry{{dir("scangate")}, {sym("scangate", "tmp")}}},
		{"too many entries", "more than 50 entries", one(slices.Repeat([]entry{dir("d")}, 51)...)},
		{"too many folders on the way", "more than 50 entries", one(reg(strings.Repeat("d/", 60)+"f", ""))},
	} {
		t.Run(row.name, func(t *testing.T) {
			var layers [][]byte
			for _, entries := range row.layers {
				layers = append(layers, tarOf(t, entries...))
			}
			_, err := unpackIn(t, limits{bytes: 1 << 20, entries: 50, ratio: 10}, layers...)
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("error %v, want %q in it", err, row.want)
			}
		})
	}
}

func TestBentArchivesAreRefused(t *testing.T) {
	whole := tarOf(t, reg("f", strings.Repeat("text", 1000)))
	sparse := tarOf(t, reg("f", ""))
	sparse[156] = tar.TypeGNUSparse
	copy(sparse[257:], "ustar  \x00")
	for i := 345; i < 500; i++ {
		sparse[i] = 0
	}
	global := tarOf(t, entry{tar.Header{Name: "pax_global_header", Typeflag: tar.TypeXGlobalHeader,
		PAXRecords: map[string]string{"path": "../x"}}, ""})
	for _, row := range []struct {
		name, want string
		text       []byte
	}{
		{"cut in a file", "unexpected EOF", whole[:2000]},
		{"cut in a header", "unexpected EOF", whole[:100]},
		{"garbage after the end", "after the end", append(bytes.Clone(whole), "evil"...)},
		{"a second archive after the end", "after the end", append(bytes.Clone(whole), whole...)},
		{"no archive", "read tar", bytes.Repeat([]byte("x"), 1024)},
		{"a GNU sparse file", "", fixSum(sparse)},
		{"a global header", "global PAX header", global},
	} {
		t.Run(row.name, func(t *testing.T) {
			if _, err := unpackIn(t, imageLimits, row.text); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("error %v, want %q in it", err, row.want)
			}
		})
	}
}

// fixSum gives the first header its checksum again.
func fixSum(text []byte) []byte {
	copy(text[148:156], "        ")
	sum := 0
	for _, b := range text[:512] {
		sum += int(b)
	}
	const octal = "01234567"
	for i := 5; i >= 0; i-- {
		text[148+i] = octal[sum&7]
		sum >>= 3
	}
	text[154] = 0
	return text
}

func TestBombsEndAtTheirLimit(t *testing.T) {
	s := newStore(t)
	text := tarOf(t, reg("zeros", strings.Repeat("\x00", freeBytes+1<<20)))
	pin := put(t, s, build(t, [][]byte{text}, nil))
	_, err := s.Rootfs(t.Context(), pin)
	if err == nil || !strings.Contains(err.Error(), "out of proportion") {
		t.Errorf("Rootfs = %v", err)
	}
	noRootfs(t, s)

	in, err := s.open(put(t, s, build(t, [][]byte{tarOf(t, reg("a", strings.Repeat("a", 600))), tarOf(t, reg("b", strings.Repeat("b", 600)))}, nil)))
	if err != nil {
		t.Fatal(err)
	}
	err = s.layers(t.Context(), in, t.TempDir(), limits{bytes: 3000, entries: 10, ratio: 200})
	if err == nil || !strings.Contains(err.Error(), "more than its limit") || !strings.Contains(err.Error(), "layer 2") {
		t.Errorf("two layers that are too much together: %v", err)
	}
}

func TestLayersApplyInOrder(t *testing.T) {
	for _, row := range []struct {
		name   string
		layers [][]entry
		want   []string // without the mountpoints
	}{
		{"a whiteout hides a file of a lower layer", [][]entry{{reg("f", ""), reg("g", "")}, {reg(".wh.f", "")}},
			[]string{"g -rw-r--r--"}},
		{"a whiteout hides a folder", [][]entry{{reg("d/f", "")}, {reg(".wh.d", "")}}, nil},
		{"a whiteout hides a link, not what it points at", [][]entry{{reg("f", ""), sym("l", "f")}, {reg(".wh.l", "")}},
			[]string{"f -rw-r--r--"}},
		{"a whiteout of nothing there is no matter", [][]entry{{reg("a/.wh.f", ""), reg(".wh.g", "")}}, nil},
		{"a file may come back in the layer that hid it", [][]entry{{reg("f", "")}, {reg(".wh.f", ""), sym("f", "g")}},
			[]string{"f -> g"}},
		{"opaque hides lower layers only, whichever comes first",
			[][]entry{{reg("d/low", ""), reg("d/e/low", "")}, {reg("d/new", ""), reg("d/e/new", ""), reg("d/.wh..wh..opq", "")}},
			[]string{"d drwxr-xr-x", "d/e drwxr-xr-x", "d/e/new -rw-r--r--", "d/new -rw-r--r--"}},
		{"an opaque root", [][]entry{{reg("low", "")}, {reg(".wh..wh..opq", ""), reg("new", "")}}, []string{"new -rw-r--r--"}},
		{"a file replaces a folder", [][]entry{{reg("d/f", "")}, {reg("d", "")}}, []string{"d -rw-r--r--"}},
		{"a folder replaces a link", [][]entry{{sym("d", "../x")}, {dir("d"), reg("d/f", "")}},
			[]string{"d drwxr-xr-x", "d/f -rw-r--r--"}},
		{"a folder again keeps what is in it", [][]entry{{reg("d/f", "")}, {dir("d"), dir("d")}},
			[]string{"d drwxr-xr-x", "d/f -rw-r--r--"}},
		{"a replaced file does not change the other names it had", [][]entry{{reg("f", "a"), hard("h", "f")}, {sym("f", "h")}},
			[]string{"f -> h", "h -rw-r--r--"}},
		{"links stay as text, wherever they point", [][]entry{{sym("a", "/etc/shadow"), sym("b", "../../x")}},
			[]string{"a -> /etc/shadow", "b -> ../../x"}},
		{"modes come down to the executable bit", [][]entry{{
			entry{tar.Header{Name: "suid", Mode: 0o6777}, ""}, entry{tar.Header{Name: "none", Mode: 0}, ""},
			entry{tar.Header{Name: "d", Mode: 0o1000, Typeflag: tar.TypeDir}, ""}, entry{tar.Header{Name: "d/x", Mode: 0o100}, ""}}},
			[]string{"d drwxr-xr-x", "d/x -rwxr-xr-x", "none -rw-r--r--", "suid -rwxr-xr-x"}},
		{"extended attributes are dropped", [][]entry{{pax("f", "SCHILY.xattr.security.capability", "x")}}, []string{"f -rw-r--r--"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			var layers [][]byte
			for _, entries := range row.layers {
				layers = append(layers, tarOf(t, entries...))
			}
			root, err := unpackIn(t, imageLimits, layers...)
			if err != nil {
				t.Fatal(err)
			}
			got := slices.DeleteFunc(listing(t, root), func(line string) bool {
				name, _, _ := strings.Cut(line, " ")
				return name == "." || slices.Contains(mountpoints, name)
			})
			if !slices.Equal(got, row.want) {
				t.Errorf("got  %q\nwant %q", got, row.want)
			}
		})
	}
}

// Whatever two layers say: nothing outside changes, and what is unpacked is plain.
func FuzzUnpack(f *testing.F) {
	for _, entries := range [][]entry{
		{reg("a/b", "text"), sym("l", "../x"), hard("h", "a/b"), dir("d")},
		{reg("../x", "evil")}, {sym("l", ".."), reg("l/x", "evil")}, {reg(".wh...", "")},
		{reg("d/.wh..wh..opq", ""), reg(".wh.a", "")}, {pax("p", "SCHILY.xattr.user.a", "b")}, {special("dev/null", tar.TypeChar)},
	} {
		f.Add(tarOf(f, entries...), tarOf(f, reg("l/x", "evil"), reg("a", "b")))
	}
	f.Fuzz(func(t *testing.T, one, two []byte) {
		root, err := unpackIn(t, limits{bytes: 1 << 20, entries: 200, ratio: 10}, one, two)
		if err != nil {
			return
		}
		err = filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := e.Info()
			if err != nil {
				return err
			}
			mode := info.Mode()
			switch {
			case e.IsDir() && (mode.Perm() == 0o755 || name == filepath.Join(root, "tmp") && mode&fs.ModeSticky != 0):
			case mode.IsRegular() && (mode == 0o644 || mode == 0o755):
			case e.Type() == fs.ModeSymlink:
			default:
				return errors.New(name + " is " + mode.String())
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func FuzzParse(f *testing.F) {
	config := []byte(`{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":[]}}`)
	f.Add([]byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":`+
		`"application/vnd.oci.image.config.v1+json","digest":"`+digestOf(config)+`","size":78},"layers":[]}`), config)
	f.Fuzz(func(t *testing.T, manifest, config []byte) {
		in, err := parse(manifest, config)
		if err != nil {
			return
		}
		for _, d := range append(in.layers, in.config) {
			if !digestForm.MatchString(d.Digest) || d.Size < 0 || len(d.URLs) > 0 {
				t.Errorf("accepted %+v", d)
			}
		}
		if len(in.layers) != len(in.diffIDs) || in.pin.Config != digestOf(config) || in.pin.Manifest != digestOf(manifest) {
			t.Errorf("accepted %+v", in)
		}
	})
}
