// Package tools makes the programs that the cluster runs, once: from Go modules under e2e/cluster/build and from
// Debian packages. Each lands in the cache in a folder named after a hash of its inputs, moved there in one step, so
// a folder that exists is whole.
package tools

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"

	"golang.org/x/sys/unix"

	"keelway.dev/e2e/cluster/internal/settings"
)

// Output receives what builds print; nil discards it unless the build fails.
type Output = io.Writer

// Tool is one program built from a Go module.
type Tool struct {
	// Name is the folder under e2e/cluster/build and the settings' version; Binary what is built.
	Name, Binary string
	// Package is what `go build` is given; Module is the module whose version the settings name.
	Package, Module string
	Cgo             bool
	Tags            string
	// Stamp are linker -X assignments; %s is the version.
	Stamp []string
	// Static are folders of the module that the program reads when it runs.
	Static []string
	// Links are further names of the binary.
	Links []string
	// folder holds the source of a program of this checkout, which has no version.
	folder string
}

// All are the tools, the heaviest first.
func All() []Tool {
	const kubeVersion = "k8s.io/component-base/version."
	return []Tool{
		{
			Name: "kube", Binary: "kube", Package: ".", Module: "k8s.io/kubernetes", Links: []string{"kubectl"},
			Stamp: []string{kubeVersion + "gitVersion=%s", kubeVersion + "gitMajor=1", kubeVersion + "gitMinor=34"},
		},
		{
			Name: "gitea", Binary: "gitea", Package: "code.gitea.io/gitea", Module: "code.gitea.io/gitea", Cgo: true,
			Tags: "sqlite sqlite_unlock_notify", Static: []string{"templates", "options", "public"}, Stamp: []string{"main.Version=%s"},
		},
		{Name: "coredns", Binary: "coredns", Package: ".", Module: "github.com/coredns/coredns"},
		{Name: "helm", Binary: "helm", Package: "helm.sh/helm/v4/cmd/helm", Module: "helm.sh/helm/v4"},
		{Name: "kwok", Binary: "kwok", Package: "sigs.k8s.io/kwok/cmd/kwok", Module: "sigs.k8s.io/kwok", Static: []string{"kustomize/stage"}},
	}
}

// Dir is where a tool is, or will be, in the cache.
func (t Tool) Dir(s settings.Settings) (string, error) {
	source := t.source(s)
	hash := sha256.New()
	files, err := filepath.Glob(filepath.Join(source, "*"))
	if err != nil {
		return "", err
	}
	sort.Strings(files)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(hash, "%s %d\n%s", filepath.Base(file), len(text), text)
	}
	fmt.Fprintf(hash, "%q %v %s", t.arguments(s, ""), t.Cgo, t.Static)
	return filepath.Join(s.Cache, t.Name+"-"+hex.EncodeToString(hash.Sum(nil))[:12]), nil
}

// Ensure builds the tool unless the cache has it, and returns its folder.
func (t Tool) Ensure(s settings.Settings, out Output) (string, error) {
	if err := t.checkVersion(s); err != nil {
		return "", err
	}
	dir, err := t.Dir(s)
	if err != nil {
		return "", err
	}
	return dir, once(s, dir, func(temporary string) error { return t.build(s, temporary, out) })
}

// Built says whether the cache has the tool.
func (t Tool) Built(s settings.Settings) bool {
	dir, err := t.Dir(s)
	if err != nil {
		return false
	}
	_, err = os.Stat(dir)
	return err == nil
}

func (t Tool) source(s settings.Settings) string {
	if t.folder != "" {
		return filepath.Join(s.Root, t.folder)
	}
	return filepath.Join(s.Root, "e2e", "cluster", "build", t.Name)
}

func (t Tool) arguments(s settings.Settings, target string) []string {
	linker := []string{"-s", "-w"}
	for _, stamp := range t.Stamp {
		if strings.Contains(stamp, "%s") {
			stamp = fmt.Sprintf(stamp, s.Versions[t.Name])
		}
		linker = append(linker, "-X", stamp)
	}
	args := []string{"build", "-mod=readonly", "-buildvcs=false", "-trimpath", "-ldflags", strings.Join(linker, " ")}
	if t.Tags != "" {
		args = append(args, "-tags", t.Tags)
	}
	return append(args, "-o", target, t.Package)
}

func (t Tool) build(s settings.Settings, dir string, out Output) error {
	if err := t.run(s, out, t.arguments(s, filepath.Join(dir, t.Binary))...); err != nil {
		return err
	}
	for _, link := range t.Links {
		if err := os.Symlink(t.Binary, filepath.Join(dir, link)); err != nil {
			return err
		}
	}
	if len(t.Static) == 0 {
		return nil
	}
	module, err := t.moduleDir(s)
	if err != nil {
		return err
	}
	for _, folder := range t.Static {
		// Not os.CopyFS: the module cache is read-only, and a copy must be removable.
		if err := exec.Command("cp", "-r", "--no-preserve=mode", filepath.Join(module, folder), dir).Run(); err != nil {
			return fmt.Errorf("copying %s of %s: %w", folder, t.Module, err)
		}
	}
	return nil
}

func (t Tool) run(s settings.Settings, out Output, args ...string) error {
	command := exec.Command("go", args...)
	command.Dir = t.source(s)
	cgo := "CGO_ENABLED=0"
	if t.Cgo {
		cgo = "CGO_ENABLED=1"
	}
	command.Env = append(os.Environ(), cgo, "GOWORK=off")
	return runLogged(command, out)
}

func (t Tool) moduleDir(s settings.Settings) (string, error) {
	command := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", t.Module)
	command.Dir = t.source(s)
	text, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("finding the module %s: %w", t.Module, err)
	}
	return strings.TrimSpace(string(text)), nil
}

func (t Tool) checkVersion(s settings.Settings) error {
	if t.Module == "" {
		return nil
	}
	text, err := os.ReadFile(filepath.Join(t.source(s), "go.mod"))
	if err != nil {
		return err
	}
	want := s.Versions[t.Name]
	for _, line := range strings.Split(string(text), "\n") {
		fields := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(fields) >= 2 && fields[0] == t.Module {
			if fields[1] == want {
				return nil
			}
			return fmt.Errorf("settings name %s %s, its go.mod %s; run `go get %s@%s` in %s", t.Name, want, fields[1], t.Module, want, t.source(s))
		}
	}
	return fmt.Errorf("%s/go.mod does not name %s; run `go get %s@%s` there", t.source(s), t.Module, t.Module, want)
}

// runLogged runs a command; its output goes to out, and its end into the error.
func runLogged(command *exec.Cmd, out Output) error {
	var tail tailBuffer
	writer := io.Writer(&tail)
	if out != nil {
		writer = io.MultiWriter(out, &tail)
	}
	command.Stdout, command.Stderr = writer, writer
	if err := command.Run(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(command.Args[:min(2, len(command.Args))], " "), err, tail.text)
	}
	return nil
}

type tailBuffer struct{ text []byte }

func (b *tailBuffer) Write(p []byte) (int, error) {
	b.text = append(b.text, p...)
	if extra := len(b.text) - 4096; extra > 0 {
		b.text = b.text[extra:]
	}
	return len(p), nil
}

// once runs make on a temporary folder and moves it to dir, unless dir exists. A lock keeps two runs from doing it twice.
func once(s settings.Settings, dir string, make func(temporary string) error) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(s.Cache, 0o755); err != nil {
		return err
	}
	unlock, err := Lock(dir + ".lock")
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	temporary := dir + ".part"
	if err := os.RemoveAll(temporary); err != nil {
		return err
	}
	if err := os.MkdirAll(temporary, 0o755); err != nil {
		return err
	}
	if err := make(temporary); err != nil {
		return err
	}
	return os.Rename(temporary, dir)
}

// Lock waits for the exclusive lock of a file and returns what releases it.
func Lock(path string) (func(), error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX); err != nil {
		file.Close()
		return nil, err
	}
	return func() { file.Close() }, nil
}
