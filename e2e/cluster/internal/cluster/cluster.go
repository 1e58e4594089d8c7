// Package cluster starts, watches and ends the local Kubernetes: one node with everything that Keelway's tests need.
package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"keelway.dev/e2e/cluster/internal/gitea"
	"keelway.dev/e2e/cluster/internal/process"
	"keelway.dev/e2e/cluster/internal/progress"
	"keelway.dev/e2e/cluster/internal/settings"
	"keelway.dev/e2e/cluster/internal/tools"
)

// Cluster is the local cluster of these settings, running or not.
type Cluster struct {
	settings.Settings
	display *progress.Display
	tools   tools.Set
	// self is this program, which is also the agent and the wrapper of the runtime.
	self    string
	started []*process.Running
}

// New prepares nothing yet.
func New(s settings.Settings, display *progress.Display) (*Cluster, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return &Cluster{Settings: s, display: display, self: self}, nil
}

// Kubeconfig is the administrator's.
func (c *Cluster) Kubeconfig() string { return c.Path("kubeconfigs", "admin") }

// readyFile is written last: a state folder without it is of a start that did not end well.
func (c *Cluster) readyFile() string { return c.Path("ready") }

// Healthy tells whether the cluster is up: its start was completed, every component runs and the API server is ready.
func (c *Cluster) Healthy(ctx context.Context) error {
	if _, err := os.Stat(c.readyFile()); err != nil {
		return errors.New("the cluster is not up")
	}
	for _, name := range Components {
		if !process.Alive(c.Settings, name) {
			return fmt.Errorf("%s does not run; its log is %s", name, process.LogFile(c.Settings, name))
		}
	}
	return c.apiserverReady(ctx)
}

func (c *Cluster) apiserverReady(ctx context.Context) error {
	authority, err := os.ReadFile(c.Path("pki", "ca.crt"))
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(c.Path("pki", "admin.crt"), c.Path("pki", "admin.key"))
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}}}
	defer transport.CloseIdleConnections()
	return get(ctx, &http.Client{Transport: transport}, c.server()+"/readyz")
}

func get(ctx context.Context, client *http.Client, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, answer.Status)
	}
	return nil
}

// Environment are the variables by which scripts and tests find the cluster, in the order to print them.
func (c *Cluster) Environment(set tools.Set) [][2]string {
	return [][2]string{
		{"KUBECONFIG", c.Kubeconfig()},
		{"REGISTRY", c.Addr("registry")}, {"FRONT_PORT", fmt.Sprint(c.Port("front"))}, {"FRONT_NODE_PORT", fmt.Sprint(c.Port("front_node"))},
		{"NODE_IP", c.NodeIP.String()},
		{"GITEA_URL", gitea.URL(c.Settings)},
		{"GITEA_SSH", "ssh://git@" + c.Addr("gitea_ssh")},
		{"GITEA_USER", gitea.Admin},
		{"GITEA_CA", gitea.CAFile(c.Settings)},
		{"GITEA_TOKEN_FILE", gitea.TokenFile(c.Settings)},
		{"GITEA_PASSWORD_FILE", gitea.PasswordFile(c.Settings)},
		{"GITEA_KNOWN_HOSTS", gitea.KnownHostsFile(c.Settings)},
		{"AUDIT_LOG", c.AuditLog()},
		{"CLUSTER_STATE", c.State},
		{"CLUSTER_LOGS", c.Logs()},
		{"KUBECTL", filepath.Join(set.Kube, "kubectl")},
		{"HELM", filepath.Join(set.Helm, "helm")},
	}
}

// explain adds the end of a component's log to an error.
func (c *Cluster) explain(name string, err error) error {
	tail := process.Tail(c.Settings, name, 15)
	return fmt.Errorf("%s: %w\n--- last lines of %s ---\n%s", name, err, process.LogFile(c.Settings, name), indent(tail))
}

func indent(text string) string { return "  " + strings.ReplaceAll(text, "\n", "\n  ") }
