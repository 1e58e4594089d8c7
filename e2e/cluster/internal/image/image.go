// Package image makes container images from folders and files, without a container runtime: the same input gives the
// same digest on every machine.
package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// Spec is what an image is made of.
type Spec struct {
	// Base is a root folder that becomes the first layer; empty means an image from scratch.
	Base string
	// Add are files or folders of this machine and where they go in the image.
	Add []Mapping
	// Entrypoint, Env, User, Dir, Labels and Port are the image's defaults.
	Entrypoint, Env []string
	User, Dir       string
	Labels          map[string]string
	Port            string
}

// Mapping is one file or folder and its absolute path in the image.
type Mapping struct{ Source, Target string }

// ParseMapping reads "source:target".
func ParseMapping(text string) (Mapping, error) {
	source, target, found := strings.Cut(text, ":")
	if !found || source == "" || !path.IsAbs(target) {
		return Mapping{}, fmt.Errorf("--add %s: want <file or folder>:<absolute path in the image>", text)
	}
	return Mapping{source, path.Clean(target)}, nil
}

// epoch is the time of every file and image, so that the digest depends on content alone.
var epoch = time.Unix(0, 0).UTC()

// Build makes the image: one layer for the base, one for all that is added.
func Build(spec Spec) (v1.Image, error) {
	var layers []v1.Layer
	if spec.Base != "" {
		base, err := layer([]Mapping{{spec.Base, "/"}})
		if err != nil {
			return nil, err
		}
		layers = append(layers, base)
	}
	if len(spec.Add) > 0 {
		added, err := layer(spec.Add)
		if err != nil {
			return nil, err
		}
		layers = append(layers, added)
	}
	image, err := mutate.AppendLayers(empty.Image, layers...)
	if err != nil {
		return nil, err
	}
	file, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.Architecture, file.OS, file.Created = "amd64", "linux", v1.Time{Time: epoch}
	file.Config = v1.Config{
		Entrypoint: spec.Entrypoint, User: spec.User, WorkingDir: spec.Dir, Labels: spec.Labels,
		Env: append([]string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, spec.Env...),
	}
	if spec.Port != "" {
		file.Config.ExposedPorts = map[string]struct{}{spec.Port + "/tcp": {}}
	}
	return mutate.ConfigFile(image, file)
}

func layer(mappings []Mapping) (v1.Layer, error) {
	var packed bytes.Buffer
	archive := tar.NewWriter(&packed)
	parents := map[string]bool{"/": true}
	for _, mapping := range mappings {
		if err := addParents(archive, parents, mapping.Target); err != nil {
			return nil, err
		}
		if err := add(archive, parents, mapping); err != nil {
			return nil, err
		}
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(packed.Bytes())), nil
	}, tarball.WithCompressionLevel(gzip.BestSpeed))
}

func addParents(archive *tar.Writer, done map[string]bool, target string) error {
	parent := path.Dir(target)
	if done[parent] {
		return nil
	}
	if err := addParents(archive, done, parent); err != nil {
		return err
	}
	done[parent] = true
	return archive.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: parent[1:] + "/", Mode: 0o755, ModTime: epoch})
}

// add writes a file, or a folder with all below it in the order of names; everything belongs to root.
func add(archive *tar.Writer, done map[string]bool, mapping Mapping) error {
	// A link that was named itself stands for what it leads to; links inside a folder stay links.
	resolved, err := filepath.EvalSymlinks(mapping.Source)
	if err != nil {
		return err
	}
	mapping.Source = resolved
	return filepath.WalkDir(mapping.Source, func(source string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(mapping.Source, source)
		if err != nil {
			return err
		}
		target := path.Join(mapping.Target, filepath.ToSlash(relative))
		if entry.IsDir() && done[target] {
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		link := ""
		if info.Mode()&fs.ModeSymlink != 0 {
			if link, err = os.Readlink(source); err != nil {
				return err
			}
		}
		header, err := tar.FileInfoHeader(info, link)
		if err != nil {
			return err
		}
		*header = tar.Header{Typeflag: header.Typeflag, Name: target[1:], Linkname: link, Size: header.Size, Mode: header.Mode, ModTime: epoch}
		if entry.IsDir() {
			header.Name += "/"
			done[target] = true
		}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return nil
		}
		file, err := os.Open(source)
		if err != nil {
			return err
		}
		defer file.Close()
		_, err = io.Copy(archive, file)
		return err
	})
}
