// Package images says which exact bytes a scanner runs from: a Pin for each platform, in scangate.lock.
package images

// Pin is one platform's image. Digests are "sha256:…". A Docker image ID is one or the other, by the daemon's store.
type Pin struct {
	Manifest string `yaml:"manifest" json:"manifest"`
	Config   string `yaml:"config" json:"config"`
	Size     int64  `yaml:"size" json:"size"` // bytes of all blobs
}

// Image is what the lock says of one name.
type Image struct {
	Source    string         `yaml:"source"` // FromRecipe
	Platforms map[string]Pin `yaml:"platforms"`
}

// Lock is scangate.lock, schema scangate.lock/v1.
type Lock struct {
	Schema   string           `yaml:"schema"`
	Adapters string           `yaml:"adapters"` // scanners.Version it was made for
	Images   map[string]Image `yaml:"images"`
}
