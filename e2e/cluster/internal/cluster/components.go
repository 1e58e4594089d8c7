package cluster

import (
	"fmt"
	"strconv"

	"keelway.dev/e2e/cluster/internal/process"
)

// Names of the components; each is a process with a log and a pid file of that name.
const (
	etcd       = "etcd"
	apiserver  = "kube-apiserver"
	manager    = "kube-controller-manager"
	scheduler  = "kube-scheduler"
	kubelet    = "kubelet"
	proxy      = "kube-proxy"
	containerd = "containerd"
	coredns    = "coredns"
	registry   = "registry"
	giteaName  = "gitea"
	agent      = "agent"
)

// Components are all that must run for a cluster to be healthy.
var Components = []string{etcd, apiserver, manager, scheduler, containerd, kubelet, proxy, coredns, registry, giteaName, agent}

// kubeClientRates let the control plane keep up with a thousand apps; its defaults are 20 and 30.
var kubeClientRates = []string{"--kube-api-qps=500", "--kube-api-burst=1000"}

func (c *Cluster) spec(name string) process.Spec {
	kube := c.tools.Kube + "/kube"
	switch name {
	case etcd:
		return process.Spec{Name: name, Argv: c.etcd()}
	case apiserver:
		return process.Spec{Name: name, Argv: append([]string{kube, name}, c.apiserver()...)}
	case manager:
		return process.Spec{Name: name, Argv: append([]string{kube, name}, c.manager()...)}
	case scheduler:
		return process.Spec{Name: name, Argv: append([]string{kube, name,
			"--kubeconfig=" + c.Path("kubeconfigs", "kube-scheduler"),
			"--authentication-kubeconfig=" + c.Path("kubeconfigs", "kube-scheduler"),
			"--authorization-kubeconfig=" + c.Path("kubeconfigs", "kube-scheduler"),
			"--client-ca-file=" + c.Path("pki", "ca.crt"),
			"--tls-cert-file=" + c.Path("pki", "kube-scheduler.crt"),
			"--tls-private-key-file=" + c.Path("pki", "kube-scheduler.key"),
			"--bind-address=" + c.NodeIP.String(),
			"--secure-port=" + strconv.Itoa(c.Port("scheduler")),
			"--leader-elect=false",
		}, kubeClientRates...)}
	case containerd:
		return process.Spec{Name: name, Argv: c.inNode(0, c.tools.Daemons+"/usr/bin/containerd", "--config="+c.Path("containerd.toml")),
			// containerd finds runc and its shim there.
			Env: []string{"PATH=" + c.tools.Daemons + "/usr/bin:" + c.tools.Daemons + "/usr/sbin:" + systemPath}}
	case proxy:
		return process.Spec{Name: name, Argv: []string{kube, name, "--config=" + c.Path("kube-proxy.yaml")}}
	case coredns:
		return process.Spec{Name: name, Argv: []string{c.tools.CoreDNS + "/coredns", "-conf", c.Path("Corefile")}}
	case registry:
		return process.Spec{Name: name, Argv: []string{c.tools.Daemons + "/usr/bin/docker-registry", "serve", c.Path("registry.yml")},
			Env: []string{"OTEL_TRACES_EXPORTER=none"}}
	case agent:
		return process.Spec{Name: name, Argv: []string{c.self, "agent", "--state", c.State, "--kubeconfig", c.Path("kubeconfigs", "keelway-agent")}}
	}
	panic("no component is called " + name)
}

// systemPath holds the programs that components call: nft, ip, mount, git.
const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// inNode wraps a command so that it sees the node's own mounts: new ones, or those of a running process.
func (c *Cluster) inNode(join int, argv ...string) []string {
	return append([]string{c.self, "node", "--state", c.State, "--join", strconv.Itoa(join), "--"}, argv...)
}

func (c *Cluster) kubelet() (process.Spec, error) {
	runtime, err := process.PID(c.Settings, containerd)
	if err != nil {
		return process.Spec{}, err
	}
	return process.Spec{Name: kubelet, Argv: c.inNode(runtime, c.tools.Kube+"/kube", kubelet,
		"--config="+c.Path("kubelet.yaml"),
		"--kubeconfig="+c.Path("kubeconfigs", "kubelet"),
		"--root-dir="+c.Path("kubelet"),
		"--hostname-override="+c.NodeName,
		"--node-ip="+c.NodeIP.String(),
	)}, nil
}

func (c *Cluster) etcd() []string {
	// On 127.0.0.1, where no pod reaches it; it asks nobody for a password.
	client := "http://127.0.0.1:" + strconv.Itoa(c.Port("etcd"))
	peer := "http://127.0.0.1:" + strconv.Itoa(c.Port("etcd_peer"))
	return []string{
		c.tools.Daemons + "/usr/bin/etcd",
		"--name=keelway", "--data-dir=" + c.Path("etcd"),
		"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=keelway=" + peer,
		// A test cluster starts afresh after a crash, so it need not wait for the disk.
		"--unsafe-no-fsync",
		"--quota-backend-bytes=4294967296", "--auto-compaction-retention=1", "--log-level=warn", "--logger=zap",
	}
}

func (c *Cluster) apiserver() []string {
	issuer := "https://kubernetes.default.svc.cluster.local"
	return []string{
		"--advertise-address=" + c.NodeIP.String(),
		"--bind-address=" + c.NodeIP.String(),
		"--secure-port=" + strconv.Itoa(c.Port("apiserver")),
		"--etcd-servers=http://127.0.0.1:" + strconv.Itoa(c.Port("etcd")),
		"--service-cluster-ip-range=" + c.ServiceCIDR.String(),
		"--client-ca-file=" + c.Path("pki", "ca.crt"),
		"--tls-cert-file=" + c.Path("pki", "apiserver.crt"),
		"--tls-private-key-file=" + c.Path("pki", "apiserver.key"),
		"--kubelet-certificate-authority=" + c.Path("pki", "ca.crt"),
		"--kubelet-client-certificate=" + c.Path("pki", "apiserver-kubelet.crt"),
		"--kubelet-client-key=" + c.Path("pki", "apiserver-kubelet.key"),
		// The node's name is known to no name server.
		"--kubelet-preferred-address-types=InternalIP",
		"--service-account-issuer=" + issuer,
		"--service-account-key-file=" + c.Path("pki", "service-accounts.pub"),
		"--service-account-signing-key-file=" + c.Path("pki", "service-accounts.key"),
		"--requestheader-client-ca-file=" + c.Path("pki", "front-proxy-ca.crt"),
		"--requestheader-allowed-names=front-proxy-client",
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + c.Path("pki", "front-proxy.crt"),
		"--proxy-client-key-file=" + c.Path("pki", "front-proxy.key"),
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--allow-privileged=true",
		"--audit-policy-file=" + c.Path("audit.yaml"),
		"--audit-log-path=" + c.AuditLog(),
		// One file: what reads it must not miss what was rotated away. The number is megabytes.
		"--audit-log-maxsize=102400",
		"--max-requests-inflight=1000", "--max-mutating-requests-inflight=500",
		"--profiling=false",
	}
}

func (c *Cluster) manager() []string {
	config := c.Path("kubeconfigs", "kube-manager")
	return append([]string{
		"--kubeconfig=" + config, "--authentication-kubeconfig=" + config, "--authorization-kubeconfig=" + config,
		"--client-ca-file=" + c.Path("pki", "ca.crt"),
		"--root-ca-file=" + c.Path("pki", "ca.crt"),
		"--tls-cert-file=" + c.Path("pki", "kube-manager.crt"),
		"--tls-private-key-file=" + c.Path("pki", "kube-manager.key"),
		"--cluster-signing-cert-file=" + c.Path("pki", "ca.crt"),
		"--cluster-signing-key-file=" + c.Path("pki", "ca.key"),
		"--service-account-private-key-file=" + c.Path("pki", "service-accounts.key"),
		"--use-service-account-credentials=true",
		"--bind-address=" + c.NodeIP.String(),
		fmt.Sprintf("--secure-port=%d", c.Port("manager")),
		"--cluster-cidr=" + c.PodCIDR.String(),
		"--leader-elect=false",
	}, kubeClientRates...)
}

// AuditLog is the file with one JSON document per request.
func (c *Cluster) AuditLog() string { return c.Path("audit.log") }
