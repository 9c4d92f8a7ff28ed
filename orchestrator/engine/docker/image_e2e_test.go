//go:build e2e

package docker_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"

	"github.com/scangate/scangate/orchestrator/engine"
	"github.com/scangate/scangate/orchestrator/engine/enginetest"
)

// rootfs is a tar of the table's root file system, and a folder and a file that anyone may write. Its /tmp is 0755: runc
// 1.1.5 gives the tmpfs there that mode.
func rootfs(dir string) ([]byte, error) {
	program := filepath.Join(dir, "program")
	if err := enginetest.Build(program); err != nil {
		return nil, err
	}
	dir = filepath.Join(dir, "rootfs")
	if err := errors.Join(enginetest.Rootfs(dir, program), os.Mkdir(filepath.Join(dir, "open"), 0o755),
		os.WriteFile(filepath.Join(dir, "open/file"), nil, 0o644), os.Chmod(filepath.Join(dir, "open"), 0o777),
		os.Chmod(filepath.Join(dir, "open/file"), 0o666),
		os.WriteFile(filepath.Join(dir, "etc/passwd"), []byte(passwd), 0o644)); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	err := errors.Join(w.AddFS(os.DirFS(dir)), w.Close())
	return b.Bytes(), err
}

// imageOf makes an image of one layer under the given configuration.
func imageOf(layerTar []byte, config v1.Config) (v1.Image, error) {
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(layerTar)), nil })
	if err != nil {
		return nil, err
	}
	img, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, err
	}
	img, err = mutate.Config(img, config)
	if err != nil {
		return nil, err
	}
	f, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	f = f.DeepCopy()
	f.OS, f.Architecture = "linux", arch
	return mutate.ConfigFile(img, f)
}

// A name that is root's, and our numeric user under another name in a group of its own.
const passwd = "scanner:x:0:0::/:/villain\nnonroot:x:65532:65532::/home:/villain\n"

// shelf holds images as the store of the product would.
type shelf map[string]v1.Image

func (s shelf) add(t testing.TB, label string, img v1.Image) engine.Image {
	t.Helper()
	manifest, err := img.Digest()
	must(t, err)
	config, err := img.ConfigName()
	must(t, err)
	s[config.String()] = img
	return engine.Image{Name: label, Manifest: manifest.String(), Config: config.String()}
}

func (s shelf) archive(_ context.Context, i engine.Image) (io.ReadCloser, error) {
	img, ok := s[i.Config]
	if !ok {
		return nil, fmt.Errorf("no image %s on the shelf", i.Config)
	}
	tag, err := name.NewTag("scangate.invalid/" + i.Name + ":test")
	if err != nil {
		return nil, err
	}
	r, w := io.Pipe()
	go func() { w.CloseWithError(tarball.Write(tag, img, w)) }()
	return r, nil
}

// forget removes the tests' images from the daemon.
func (s shelf) forget() {
	w, err := testcontainers.NewDockerClientWithOpts(context.Background())
	if err != nil {
		panic(err)
	}
	defer w.Close()
	for _, img := range s {
		id, err := img.ConfigName()
		if err != nil {
			panic(err)
		}
		// Those that were refused before they were loaded are not there.
		if _, err := w.ImageRemove(context.Background(), id.String(), client.ImageRemoveOptions{Force: true}); err != nil && !cerrdefs.IsNotFound(err) {
			panic(err)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
