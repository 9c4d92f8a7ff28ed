package store

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/scangate/scangate/images"
	"github.com/scangate/scangate/pkg/strictjson"
)

const (
	maxSmall  = 4 << 20 // bytes of a manifest or config; registries limit manifests to 4 MiB (distribution-spec v1.1)
	maxLayers = 128
)

var digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// contents is what manifest and config say, once they were found to be plain.
type contents struct {
	pin           images.Pin
	raw, rawConf  []byte
	config        descriptor
	layers        []descriptor
	diffIDs       []string
	listed        v1.Descriptor // for index.json
	layerByDigest map[string]descriptor
}

type descriptor struct {
	MediaType string   `json:"mediaType"`
	Digest    string   `json:"digest"`
	Size      int64    `json:"size"`
	URLs      []string `json:"urls"`
	Data      any      `json:"data"`
}

// manifest has the members of an index, of a schema 1 manifest and of an artifact too, so that a text that another
// reader could take for one of these is refused (CVE-2021-41190).
type manifest struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Config        descriptor   `json:"config"`
	Layers        []descriptor `json:"layers"`
	Manifests     any          `json:"manifests"`
	FSLayers      any          `json:"fsLayers"`
	Subject       any          `json:"subject"`
	ArtifactType  any          `json:"artifactType"`
}

type config struct {
	OS           string `json:"os"`
	Architecture string `json:"architecture"`
	Variant      string `json:"variant"`
	RootFS       struct {
		Type    string   `json:"type"`
		DiffIDs []string `json:"diff_ids"`
	} `json:"rootfs"`
	Config struct {
		Volumes    map[string]any
		OnBuild    []string
		WorkingDir string
	} `json:"config"`
}

// parse checks that the two texts belong together and are nothing but a plain image.
func parse(raw, rawConf []byte) (contents, error) {
	m, err := parseManifest(raw)
	if err != nil {
		return contents{}, fmt.Errorf("manifest: %w", err)
	}
	if got := digestOf(rawConf); got != m.Config.Digest {
		return contents{}, fmt.Errorf("config: %w", mismatch(m.Config.Digest, got))
	}
	if int64(len(rawConf)) != m.Config.Size {
		return contents{}, fmt.Errorf("config: %d bytes: want %d", len(rawConf), m.Config.Size)
	}
	c, err := parseConfig(rawConf, len(m.Layers))
	if err != nil {
		return contents{}, fmt.Errorf("config: %w", err)
	}
	in := contents{
		pin:           images.Pin{Manifest: digestOf(raw), Config: m.Config.Digest, Size: int64(len(raw)) + m.Config.Size},
		raw:           raw,
		rawConf:       rawConf,
		config:        m.Config,
		layers:        m.Layers,
		diffIDs:       c.RootFS.DiffIDs,
		layerByDigest: map[string]descriptor{},
	}
	in.listed = v1.Descriptor{
		MediaType: types.OCIManifestSchema1,
		Digest:    v1.Hash{Algorithm: "sha256", Hex: strings.TrimPrefix(in.pin.Manifest, "sha256:")},
		Size:      int64(len(raw)),
		Platform:  &v1.Platform{OS: c.OS, Architecture: c.Architecture, Variant: c.Variant},
	}
	for _, d := range m.Layers {
		if first, twice := in.layerByDigest[d.Digest]; !twice {
			in.pin.Size += d.Size
		} else if first.Size != d.Size || first.MediaType != d.MediaType {
			return contents{}, fmt.Errorf("manifest: layer %s is described in two ways", d.Digest)
		}
		in.layerByDigest[d.Digest] = d
	}
	return in, nil
}

func parseManifest(raw []byte) (manifest, error) {
	var m manifest
	if len(raw) > maxSmall {
		return m, fmt.Errorf("more than %d bytes", maxSmall)
	}
	if err := strictjson.Decode(raw, &m); err != nil {
		return m, err
	}
	switch {
	case m.MediaType != ocispec.MediaTypeImageManifest:
		return m, fmt.Errorf("media type %q is not %q", m.MediaType, ocispec.MediaTypeImageManifest)
	case m.SchemaVersion != 2:
		return m, fmt.Errorf("schemaVersion %d is not 2", m.SchemaVersion)
	case m.Manifests != nil || m.FSLayers != nil || m.Subject != nil || m.ArtifactType != nil:
		return m, errors.New("has manifests, fsLayers, subject or artifactType: not a plain image")
	case len(m.Layers) > maxLayers:
		return m, fmt.Errorf("%d layers: at most %d", len(m.Layers), maxLayers)
	}
	if err := m.Config.check(ocispec.MediaTypeImageConfig); err != nil {
		return m, fmt.Errorf("config: %w", err)
	}
	if m.Config.Size > maxSmall {
		return m, fmt.Errorf("config: more than %d bytes", maxSmall)
	}
	for i, d := range m.Layers {
		if err := d.check(ocispec.MediaTypeImageLayer, ocispec.MediaTypeImageLayerGzip); err != nil {
			return m, fmt.Errorf("layer %d: %w", i+1, err)
		}
	}
	return m, nil
}

func (d descriptor) check(mediaTypes ...string) error {
	if !digestForm.MatchString(d.Digest) {
		return fmt.Errorf("digest %q is not sha256: and 64 hex digits", d.Digest)
	}
	if d.Size < 0 {
		return fmt.Errorf("size %d", d.Size)
	}
	if len(d.URLs) > 0 {
		return errors.New("has urls: content from elsewhere")
	}
	if d.Data != nil {
		return errors.New("has embedded data")
	}
	for _, t := range mediaTypes {
		if d.MediaType == t {
			return nil
		}
	}
	return fmt.Errorf("media type %q is not %s", d.MediaType, strings.Join(mediaTypes, " or "))
}

func parseConfig(raw []byte, layers int) (config, error) {
	var c config
	if err := strictjson.Decode(raw, &c); err != nil {
		return c, err
	}
	switch {
	case c.OS != "linux":
		return c, fmt.Errorf("os %q is not linux", c.OS)
	case c.Architecture == "":
		return c, errors.New("architecture is empty")
	case c.RootFS.Type != "layers":
		return c, fmt.Errorf("rootfs.type %q is not layers", c.RootFS.Type)
	case len(c.RootFS.DiffIDs) != layers:
		return c, fmt.Errorf("%d diff_ids for %d layers", len(c.RootFS.DiffIDs), layers)
	case len(c.Config.Volumes) > 0:
		return c, errors.New("declares Volumes: an engine would make them writable")
	case len(c.Config.OnBuild) > 0:
		return c, errors.New("declares OnBuild")
	}
	for _, id := range c.RootFS.DiffIDs {
		if !digestForm.MatchString(id) {
			return c, fmt.Errorf("diff_id %q is not sha256: and 64 hex digits", id)
		}
	}
	// /proc/self/fd/N as the working directory led out of the container (CVE-2024-21626).
	for _, dir := range []string{"/proc", "/sys", "/dev"} {
		if w := path.Clean("/" + c.Config.WorkingDir); w == dir || strings.HasPrefix(w, dir+"/") {
			return c, fmt.Errorf("WorkingDir %q is below %s", c.Config.WorkingDir, dir)
		}
	}
	return c, nil
}
