package demo

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"keelway.dev/e2e/cluster/internal/progress"
	"keelway.dev/e2e/cluster/internal/settings"
	"keelway.dev/e2e/cluster/internal/tools"
)

// Variables that the demo needs in a cluster of one's own: that cluster reaches neither our registry nor our git host.
const (
	imageVariable = "KEELWAY_DEMO_IMAGE"
	appVariable   = "KEELWAY_DEMO_APP_IMAGE"
	urlVariable   = "KEELWAY_DEMO_REPO_URL"
	tokenVariable = "KEELWAY_DEMO_REPO_TOKEN_FILE"
	caVariable    = "KEELWAY_DEMO_REPO_CA"
	// valuesVariable may name a file of chart values: a git host at a private address must be allowed by git.allowedAddresses.
	valuesVariable = "KEELWAY_DEMO_VALUES"
)

// place is where the demo runs.
type place struct {
	// kubeconfig is empty for the one of the environment.
	kubeconfig string
	// url is the config repository's, image the example app's.
	url, image       string
	token, authority []byte
}

// currentPlace reads what the demo has to be told about a cluster of one's own.
func currentPlace(lookup func(string) string) (place, error) {
	var missing []string
	for name, what := range map[string]string{
		imageVariable: "the operator's image, as make image pushed it", appVariable: "an image that listens on $PORT and answers /healthz",
		urlVariable: "https URL of an empty config repository", tokenVariable: "file with a token that may push there",
	} {
		if lookup(name) == "" {
			missing = append(missing, fmt.Sprintf("%s (%s)", name, what))
		}
	}
	if len(missing) > 0 {
		return place{}, fmt.Errorf("in a cluster of your own the demo needs: %s", strings.Join(missing, "; "))
	}
	p := place{url: lookup(urlVariable), image: lookup(appVariable)}
	var err error
	if p.token, err = os.ReadFile(lookup(tokenVariable)); err != nil {
		return p, err
	}
	if file := lookup(caVariable); file != "" {
		p.authority, err = os.ReadFile(file)
	}
	return p, err
}

// RunCurrent shows Keelway in the cluster of the current kubeconfig.
func RunCurrent(ctx context.Context, s settings.Settings, display *progress.Display) error {
	where, err := currentPlace(os.Getenv)
	if err != nil {
		return err
	}
	d := &Demo{Settings: s, display: display, place: where}
	if d.tools, err = tools.Ensure(s, display, "kube", "helm"); err != nil {
		return err
	}
	repository, tag, found := cutTag(os.Getenv(imageVariable))
	if !found {
		return fmt.Errorf("%s must end in a tag, as in registry.example.com/acme/keelway:1.0", imageVariable)
	}
	install := []string{"upgrade", "--install", "keelway", filepath.Join(s.Root, "charts", "keelway"), "--namespace", "keelway-system",
		"--create-namespace", "--wait", "--timeout", "3m", "--set", "image.repository=" + repository, "--set", "image.tag=" + tag}
	if file := os.Getenv(valuesVariable); file != "" {
		install = append(install, "--values", file)
	}
	if err := display.Run("installing the chart charts/keelway", func() error {
		return output(exec.CommandContext(ctx, filepath.Join(d.tools.Helm, "helm"), install...))
	}); err != nil {
		return err
	}
	if err := display.Run("committing the example app to the config repository", func() error { return d.push(ctx) }); err != nil {
		return err
	}
	if err := display.Run("telling Keelway about the repository", func() error { return d.apply(ctx) }); err != nil {
		return err
	}
	if err := d.rollOut(ctx); err != nil {
		return err
	}
	fmt.Printf(`
The example app runs. To see it: kubectl port-forward -n %[1]s service/%[2]s 8080:80, then http://localhost:8080/

Three things to try:
  1. See the story:    kubectl get keelway -A
  2. Change the text:  edit %[3]s in %[4]s, commit, push, and look at the page again
  3. Break it:         set its image to one that does not exist, push, and read kubectl describe environment -n %[1]s

To stop everything:    kubectl delete namespace %[1]s && helm uninstall keelway -n keelway-system
`, namespace, service, file, d.place.url)
	return nil
}

// cutTag splits an image's name from its tag; a colon before the last slash belongs to a port.
func cutTag(image string) (repository, tag string, found bool) {
	at := strings.LastIndex(image, ":")
	if at <= strings.LastIndex(image, "/") {
		return image, "", false
	}
	return image[:at], image[at+1:], true
}

// push commits the example app with git, unless a file of that name is in the repository.
func (d *Demo) push(ctx context.Context) error {
	folder, err := os.MkdirTemp("", "keelway-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	clone := filepath.Join(folder, "clone")
	if err := d.run(ctx, folder, "clone", "--quiet", "--depth=1", d.place.url, clone); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(clone, file)); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	text, err := render(file, map[string]string{"Image": d.place.image})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(clone, file), text, 0o644); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"add", file},
		{"-c", "user.name=Keelway demo", "-c", "user.email=demo@example.com", "commit", "--quiet", "--message=Run the example app"},
		{"push", "--quiet", "origin", "HEAD:main"},
	} {
		if err := d.run(ctx, clone, args...); err != nil {
			return err
		}
	}
	return nil
}

// run is git with the token, which goes by the environment: a command line is there for all to read.
func (d *Demo) run(ctx context.Context, dir string, args ...string) error {
	command := exec.CommandContext(ctx, "git", args...)
	command.Dir = dir
	command.Env = append(os.Environ(), "GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=http.extraHeader",
		"GIT_CONFIG_VALUE_0=Authorization: Basic "+base64.StdEncoding.EncodeToString(append([]byte("keelway:"), bytes.TrimSpace(d.place.token)...)))
	if file := os.Getenv(caVariable); file != "" {
		command.Env = append(command.Env, "GIT_SSL_CAINFO="+file)
	}
	return output(command)
}

// output runs a command; what it said goes into the error.
func output(command *exec.Cmd) error {
	text, err := command.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(command.Path), err, text)
	}
	return nil
}
