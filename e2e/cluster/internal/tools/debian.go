package tools

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"keelway.dev/e2e/cluster/internal/settings"
)

// Daemons are the Debian packages whose programs the cluster runs. They are unpacked into the cache and not installed:
// an installed one would start a service and take its ports.
var Daemons = []string{"etcd-server", "containerd", "runc", "containernetworking-plugins", "docker-registry"}

// BasePackages are what a program linked against glibc needs in its image.
var BasePackages = []string{"libc6", "libgcc-s1"}

// caBundle is the machine's bundle of certificate authorities; images get a copy of it.
const caBundle = "/etc/ssl/certs/ca-certificates.crt"

// EnsureDaemons unpacks the daemons' packages and returns the folder that holds their usr/.
func EnsureDaemons(s settings.Settings, out Output) (string, error) {
	dir, err := debianDir(s, "daemons", Daemons)
	if err != nil {
		return "", err
	}
	return dir, once(s, dir, func(temporary string) error { return unpack(temporary, Daemons, out) })
}

// EnsureBase makes the root folder of the image base "glibc".
func EnsureBase(s settings.Settings, out Output) (string, error) {
	bundle, err := os.ReadFile(caBundle)
	if err != nil {
		return "", fmt.Errorf("%w; install the package ca-certificates (hack/deps.sh does)", err)
	}
	dir, err := debianDir(s, "base-glibc", append(BasePackages, string(bundle)))
	if err != nil {
		return "", err
	}
	return dir, once(s, dir, func(temporary string) error { return makeBase(temporary, bundle, out) })
}

func makeBase(dir string, bundle []byte, out Output) error {
	if err := unpack(dir, BasePackages, out); err != nil {
		return err
	}
	for _, documentation := range []string{"usr/share/doc", "usr/share/lintian"} {
		if err := os.RemoveAll(filepath.Join(dir, documentation)); err != nil {
			return err
		}
	}
	files := map[string]string{
		"etc/passwd":        "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n",
		"etc/group":         "root:x:0:\nnonroot:x:65532:\n",
		caBundle[1:]:        string(bundle),
		"etc/os-release":    "ID=keelway-base\nNAME=\"Keelway base: glibc and certificates\"\n",
		"etc/nsswitch.conf": "hosts: files dns\n",
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	tmp := filepath.Join(dir, "tmp")
	return errors.Join(os.MkdirAll(tmp, 0o755), os.Chmod(tmp, 0o777|os.ModeSticky))
}

func debianDir(s settings.Settings, name string, inputs []string) (string, error) {
	release, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(strings.Join(inputs, "\n") + string(release)))
	return filepath.Join(s.Cache, name+"-"+hex.EncodeToString(sum[:])[:12]), nil
}

// unpack downloads packages and unpacks them into dir without running any of their scripts.
func unpack(dir string, packages []string, out Output) error {
	downloads := filepath.Join(dir, "downloads")
	if err := os.MkdirAll(downloads, 0o755); err != nil {
		return err
	}
	download := func() error {
		command := exec.Command("apt-get", append([]string{"download", "-q"}, packages...)...)
		command.Dir = downloads
		return runLogged(command, out)
	}
	if err := download(); err != nil {
		// A fresh machine has no package lists yet, an old one stale lists.
		if err := runLogged(exec.Command("apt-get", "update", "-q"), out); err != nil {
			return err
		}
		if err := download(); err != nil {
			return err
		}
	}
	files, err := filepath.Glob(filepath.Join(downloads, "*.deb"))
	if err != nil {
		return err
	}
	for _, file := range files {
		if err := runLogged(exec.Command("dpkg-deb", "--extract", file, dir), out); err != nil {
			return err
		}
	}
	return os.RemoveAll(downloads)
}
