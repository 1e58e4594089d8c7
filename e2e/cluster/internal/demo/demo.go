// Package demo shows Keelway at work on the local cluster: it installs the operator, commits an example app to a config
// repository and waits until the app answers. Run again, it finds everything in place and changes nothing.
package demo

import (
	"bytes"
	"context"
	"embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"

	"keelway.dev/e2e/cluster/internal/cluster"
	"keelway.dev/e2e/cluster/internal/gitea"
	"keelway.dev/e2e/cluster/internal/progress"
	"keelway.dev/e2e/cluster/internal/settings"
	"keelway.dev/e2e/cluster/internal/tools"
)

//go:embed files
var files embed.FS

const (
	namespace   = "demo"
	repository  = "demo-config"
	file        = "hello.yaml"
	service     = "hello-production-web"
	environment = "hello-production"
)

// Demo is one run.
type Demo struct {
	settings.Settings
	place   place
	display *progress.Display
	tools   tools.Set
	git     *gitea.Client
}

// Run starts what is missing and returns when the example app answers.
func Run(ctx context.Context, s settings.Settings, display *progress.Display) error {
	local, err := cluster.New(s, display)
	if err != nil {
		return err
	}
	d := &Demo{Settings: s, display: display}
	if d.tools, err = tools.Ensure(s, display, append([]string{"helm"}, tools.Needed...)...); err != nil {
		return err
	}
	if err := local.Up(ctx); err != nil {
		return err
	}
	if d.git, err = gitea.NewClient(s); err != nil {
		return err
	}
	if d.place, err = localPlace(s, local.Kubeconfig()); err != nil {
		return err
	}
	if err := d.install(ctx); err != nil {
		return err
	}
	if err := display.Run("committing the example app to the config repository", func() error { return d.commit(ctx) }); err != nil {
		return err
	}
	if err := display.Run("telling Keelway about the repository", func() error { return d.apply(ctx) }); err != nil {
		return err
	}
	if err := d.rollOut(ctx); err != nil {
		return err
	}
	url, err := d.answers(ctx)
	if err != nil {
		return err
	}
	d.explain(url)
	return nil
}

// localPlace is the local cluster, with its own registry and git host.
func localPlace(s settings.Settings, kubeconfig string) (place, error) {
	p := place{
		kubeconfig: kubeconfig, image: s.Addr("registry") + "/keelway/hello:1",
		url: gitea.URL(s) + "/" + gitea.Admin + "/" + repository + ".git",
	}
	var err error
	if p.token, err = os.ReadFile(gitea.TokenFile(s)); err != nil {
		return p, err
	}
	p.authority, err = os.ReadFile(gitea.CAFile(s))
	return p, err
}

// render fills one of the files in.
func render(name string, values any) ([]byte, error) {
	parsed, err := template.ParseFS(files, "files/"+name)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	err = parsed.Execute(&text, values)
	return text.Bytes(), err
}

// commit puts the example app into the repository, unless a file of that name is there: people may have changed it.
func (d *Demo) commit(ctx context.Context) error {
	if err := d.git.EnsureRepository(ctx, repository, true); err != nil {
		return err
	}
	path := "/repos/" + gitea.Admin + "/" + repository + "/contents/" + file
	if err := d.git.Call(ctx, http.MethodGet, path, nil, nil); !gitea.IsStatus(err, http.StatusNotFound) {
		return err
	}
	text, err := render(file, map[string]string{"Image": d.place.image})
	if err != nil {
		return err
	}
	return d.git.Call(ctx, http.MethodPost, path, map[string]string{
		"branch": "main", "message": "Run the example app", "content": base64.StdEncoding.EncodeToString(text),
	}, nil)
}

func (d *Demo) apply(ctx context.Context) error {
	text, err := render("objects.yaml", map[string]string{
		"Token":     base64.StdEncoding.EncodeToString(bytes.TrimSpace(d.place.token)),
		"Authority": base64.StdEncoding.EncodeToString(d.place.authority), "URL": d.place.url,
	})
	if err != nil {
		return err
	}
	_, err = d.kubectl(ctx, text, "apply", "--server-side", "--field-manager=keelway-demo", "--filename=-")
	return err
}

func (d *Demo) kubectl(ctx context.Context, input []byte, args ...string) ([]byte, error) {
	command := exec.CommandContext(ctx, filepath.Join(d.tools.Kube, "kubectl"), args...)
	if d.place.kubeconfig != "" {
		command.Env = append(os.Environ(), "KUBECONFIG="+d.place.kubeconfig)
	}
	command.Stdin = bytes.NewReader(input)
	var problems bytes.Buffer
	command.Stderr = &problems
	text, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("kubectl %s: %w: %s", args[0], err, strings.TrimSpace(problems.String()))
	}
	return text, nil
}

// get decodes one object of the demo's namespace.
func (d *Demo) get(ctx context.Context, kind, name string, into any) error {
	text, err := d.kubectl(ctx, nil, "get", kind, name, "--namespace="+namespace, "--output=json")
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

var errNotYet = errors.New("not yet")
