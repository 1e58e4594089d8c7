package cluster

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"keelway.dev/e2e/cluster/internal/pki"
	"keelway.dev/e2e/cluster/internal/process"
	"keelway.dev/e2e/cluster/internal/settings"
	"keelway.dev/e2e/cluster/internal/sweep"
)

//go:embed files
var templates embed.FS

// values is what the templates under files/ see.
type values struct {
	settings.Settings
	Daemons, CgroupRoot, NatTable string
	MTU                           int
	// Upstream says whether the machine knows a name server to forward to.
	Upstream bool
}

// written is each template's place in the state folder.
var written = map[string]string{
	"containerd.toml": "containerd.toml",
	"cni.conflist":    "cni/10-keelway.conflist",
	"kubelet.yaml":    "kubelet.yaml",
	"kube-proxy.yaml": "kube-proxy.yaml",
	"audit.yaml":      "audit.yaml",
	"Corefile":        "Corefile",
	"registry.yml":    "registry.yml",
	"nat.nft":         "nat.nft",
	"manifests.yaml":  "manifests.yaml",
}

func (c *Cluster) writeFiles() error {
	v := values{
		Settings: c.Settings, Daemons: c.tools.Daemons, CgroupRoot: process.CgroupRoot, NatTable: sweep.NatTable,
		MTU: smallestMTU(), Upstream: hasUpstream(),
	}
	for name, target := range written {
		if err := render(v, name, c.Path(target)); err != nil {
			return err
		}
	}
	return render(v, "hosts.toml", c.Path("certs.d", c.Addr("registry"), "hosts.toml"))
}

func render(v values, name, target string) error {
	parsed, err := template.ParseFS(templates, "files/"+name)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := parsed.Execute(&text, v); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	return os.WriteFile(target, text.Bytes(), 0o644)
}

// smallestMTU is the smallest packet size of the machine's own links, so that pods never send what a link must split.
func smallestMTU() int {
	smallest := 1500
	links, err := net.Interfaces()
	if err != nil {
		return smallest
	}
	for _, link := range links {
		if link.Flags&net.FlagUp != 0 && link.Flags&net.FlagLoopback == 0 && link.MTU >= 1280 {
			smallest = min(smallest, link.MTU)
		}
	}
	return smallest
}

func hasUpstream() bool {
	text, err := os.ReadFile("/etc/resolv.conf")
	if err != nil {
		return false
	}
	for _, line := range strings.Split(string(text), "\n") {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "nameserver" {
			return true
		}
	}
	return false
}

// writeKeys makes all certificates and kubeconfigs.
func (c *Cluster) writeKeys() error {
	dir, node := c.Path("pki"), c.NodeIP.String()
	authority, err := pki.NewAuthority(dir, "ca")
	if err != nil {
		return err
	}
	problems := []error{
		pki.NewKey(dir, "service-accounts"),
		authority.Issue("apiserver", pki.Subject{User: "kube-apiserver", Hosts: []string{
			node, c.ServiceIP().String(), "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
		}}),
		authority.Issue("apiserver-kubelet", pki.Subject{User: "kube-apiserver-kubelet-client", Groups: []string{"system:masters"}}),
		os.MkdirAll(c.Path("kubeconfigs"), 0o755),
	}
	for name, subject := range map[string]pki.Subject{
		"admin":          {User: "keelway-admin", Groups: []string{"system:masters"}},
		"kube-manager":   {User: "system:kube-controller-manager", Hosts: []string{node}},
		"kube-scheduler": {User: "system:kube-scheduler", Hosts: []string{node}},
		"kubelet":        {User: "system:node:" + c.NodeName, Groups: []string{"system:nodes"}, Hosts: []string{node, c.NodeName}},
		"kube-proxy":     {User: "system:kube-proxy"},
		"coredns":        {User: "system:coredns"},
		"keelway-agent":  {User: "keelway-cluster-agent"},
		"keelway-kwok":   {User: "keelway-cluster-kwok", Groups: []string{"system:masters"}},
	} {
		problems = append(problems,
			authority.Issue(name, subject),
			authority.Kubeconfig(name, c.server(), c.Path("kubeconfigs", name)))
	}
	// The extension servers' front door; the control plane looks for its authority even when there are none.
	front, err := pki.NewAuthority(dir, "front-proxy-ca")
	if err != nil {
		return err
	}
	problems = append(problems, front.Issue("front-proxy", pki.Subject{User: "front-proxy-client"}))
	// The git host has an authority of its own: clients must be told about it, as with a company's internal one.
	services, err := pki.NewAuthority(dir, "services-ca")
	if err != nil {
		return err
	}
	problems = append(problems, services.Issue("gitea", pki.Subject{User: "gitea", Hosts: []string{node, "localhost", "gitea.keelway.local"}}))
	return errors.Join(problems...)
}

func (c *Cluster) server() string { return "https://" + c.Addr("apiserver") }
