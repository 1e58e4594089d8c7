package tools

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"keelway.dev/e2e/cluster/internal/progress"
	"keelway.dev/e2e/cluster/internal/settings"
)

// Set is where everything that the cluster runs lies in the cache.
type Set struct {
	// Kube, Gitea, CoreDNS, Helm and Kwok are folders with the binary of that name; Daemons holds usr/bin and usr/lib/cni.
	Kube, Gitea, CoreDNS, Helm, Kwok, Daemons string
}

// Needed are the tools without which the cluster does not start; helm and kwok are for its users.
var Needed = []string{"kube", "gitea", "coredns"}

// Locate names the folders of all tools, built or not.
func Locate(s settings.Settings) (Set, error) {
	var set Set
	folders := set.folders()
	for _, tool := range All() {
		dir, err := tool.Dir(s)
		if err != nil {
			return set, err
		}
		*folders[tool.Name] = dir
	}
	var err error
	set.Daemons, err = debianDir(s, "daemons", Daemons)
	return set, err
}

func (set *Set) folders() map[string]*string {
	return map[string]*string{"kube": &set.Kube, "gitea": &set.Gitea, "coredns": &set.CoreDNS, "helm": &set.Helm, "kwok": &set.Kwok}
}

// Ensure builds those of the named tools that the cache lacks, one after the other, as each build uses all cores, and
// unpacks the daemons.
func Ensure(s settings.Settings, display *progress.Display, names ...string) (Set, error) {
	set, err := Locate(s)
	if err != nil {
		return set, err
	}
	if err := os.MkdirAll(s.Cache, 0o755); err != nil {
		return set, err
	}
	log, err := os.OpenFile(filepath.Join(s.Cache, "build.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return set, err
	}
	defer log.Close()
	for _, tool := range All() {
		if !slices.Contains(names, tool.Name) {
			continue
		}
		build := func() error {
			_, err := tool.Ensure(s, log)
			return err
		}
		if err := step(display, tool.Built(s), fmt.Sprintf("building %s %s (once)", tool.Name, s.Versions[tool.Name]), build); err != nil {
			return set, fmt.Errorf("building %s (see %s): %w", tool.Name, log.Name(), err)
		}
	}
	_, missing := os.Stat(set.Daemons)
	err = step(display, missing == nil, "unpacking etcd, containerd, runc, CNI plugins and registry (once)", func() error {
		_, err := EnsureDaemons(s, log)
		return err
	})
	return set, err
}

// step shows only work that is to be done.
func step(display *progress.Display, done bool, text string, work func() error) error {
	if done {
		return work()
	}
	return display.Run(text, work)
}
