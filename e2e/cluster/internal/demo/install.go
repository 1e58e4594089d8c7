package demo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// installedFile holds the key of what is installed; it goes with the cluster's state.
const installedFile = "demo-installed"

// install builds the operator and the router, and installs it unless this very build and chart are installed already.
func (d *Demo) install(ctx context.Context) error {
	if err := d.display.Run("building the operator and the router (minutes, the first time)", func() error { return d.build(ctx) }); err != nil {
		return err
	}
	key, err := d.key()
	if err != nil {
		return err
	}
	if installed, err := os.ReadFile(d.Path(installedFile)); err == nil && string(installed) == key {
		if _, err := d.kubectl(ctx, nil, "rollout", "status", "deployment", "--namespace=keelway-system", "--timeout=60s"); err == nil {
			d.display.Say("this build of Keelway is installed already")
			return nil
		}
	}
	return d.display.Run("pushing its image and installing the chart charts/keelway", func() error {
		command := exec.CommandContext(ctx, filepath.Join(d.Root, "hack", "install.sh"))
		command.Dir = d.Root
		text, err := command.CombinedOutput()
		if err != nil {
			return fmt.Errorf("hack/install.sh: %w\n%s", err, text)
		}
		// kubectl looks the category keelway up in its cache only, which may be older than the kinds.
		if _, err := d.kubectl(ctx, nil, "api-resources", "--api-group=keelway.dev", "--cached=false"); err != nil {
			return err
		}
		return os.WriteFile(d.Path(installedFile), []byte(key), 0o644)
	})
}

func (d *Demo) build(ctx context.Context) error {
	// The quick build, as hack/install.sh installs it: what is measured is built with PROFILE=release.
	command := exec.CommandContext(ctx, "cargo", "build", "--locked", "--quiet", "--package", "operator", "--package", "router")
	command.Dir = d.Root
	text, err := command.CombinedOutput()
	if err != nil {
		return fmt.Errorf("cargo build: %w\n%s", err, text)
	}
	return nil
}

// key is a hash of both programs, of the chart and of how both are installed.
func (d *Demo) key() (string, error) {
	target := os.Getenv("CARGO_TARGET_DIR")
	if target == "" {
		target = filepath.Join(d.Root, "target")
	}
	return hashFiles(filepath.Join(target, "debug", "keelway-operator"), filepath.Join(target, "debug", "keelway-router"), filepath.Join(d.Root, "charts", "keelway"), filepath.Join(d.Root, "hack", "install.sh"))
}

// hashFiles hashes names and contents of files and of all files in folders.
func hashFiles(paths ...string) (string, error) {
	hash := sha256.New()
	for _, root := range paths {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(hash, "%s %d\n", strings.TrimPrefix(path, root), len(text))
			hash.Write(text)
			return nil
		})
		if err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
