// Package settings reads e2e/settings.env, the one file with the cluster's ports, folders and versions.
// The environment wins over the file.
package settings

import (
	"bufio"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// File is where the settings are, relative to the checkout.
const File = "e2e/settings.env"

// Settings is what the file and the environment say, parsed once.
type Settings struct {
	// Root is the checkout, Cache holds what is built once, State what a running cluster writes.
	Root, Cache, State string

	NodeName string
	NodeIP   netip.Addr
	PodCIDR  netip.Prefix
	// ServiceCIDR is the range of the Services' addresses; DNSIP, the cluster DNS, is one of them.
	ServiceCIDR netip.Prefix
	DNSIP       netip.Addr
	MaxPods     int
	GiteaUID    int

	// Ports and Versions are keyed by the lower-case end of their names: KEELWAY_PORT_DNS is "dns".
	Ports    map[string]int
	Versions map[string]string
}

// Port is the port of a name that the settings file must have; 0 never occurs after Load checked it.
func (s Settings) Port(name string) int { return s.Ports[name] }

// Addr is "node address:port" of a named port.
func (s Settings) Addr(name string) string {
	return netip.AddrPortFrom(s.NodeIP, uint16(s.Ports[name])).String()
}

// Logs is the folder of the components' logs. It is beside the state, so that it outlives it.
func (s Settings) Logs() string { return s.State + "-logs" }

// Path is a file or folder inside the state folder.
func (s Settings) Path(parts ...string) string {
	return filepath.Join(append([]string{s.State}, parts...)...)
}

// PodGateway is the address that the host's end of every pod link has: the first of the pod range.
func (s Settings) PodGateway() netip.Addr { return s.PodCIDR.Masked().Addr().Next() }

// ServiceIP is the API server's own Service: the first address of the Services' range.
func (s Settings) ServiceIP() netip.Addr { return s.ServiceCIDR.Masked().Addr().Next() }

var requiredPorts = []string{
	"apiserver", "etcd", "etcd_peer", "kubelet", "kubelet_health", "manager", "scheduler", "proxy_health", "proxy_metrics",
	"dns", "dns_health", "dns_ready", "registry", "gitea", "gitea_ssh", "agent", "kwok",
}

// Load finds the checkout from the working folder upwards (or takes fallbackRoot) and reads its settings.
func Load(fallbackRoot string) (Settings, error) {
	root, err := findRoot(fallbackRoot)
	if err != nil {
		return Settings{}, err
	}
	text, err := os.ReadFile(filepath.Join(root, File))
	if err != nil {
		return Settings{}, err
	}
	return Parse(root, string(text), os.LookupEnv)
}

func findRoot(fallback string) (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, File)); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	if _, err := os.Stat(filepath.Join(fallback, File)); fallback != "" && err == nil {
		return fallback, nil
	}
	return "", fmt.Errorf("%s was not found from here upwards; run this inside the checkout", File)
}

// Parse reads the text of a settings file; lookup is the environment, which wins.
func Parse(root, text string, lookup func(string) (string, bool)) (Settings, error) {
	values, err := pairs(text)
	if err != nil {
		return Settings{}, err
	}
	for name := range values {
		if value, ok := lookup(name); ok && value != "" {
			values[name] = value
		}
	}
	s := Settings{Root: root, Ports: map[string]int{}, Versions: map[string]string{}}
	var problems []error
	number := func(name string) int {
		n, err := strconv.Atoi(values[name])
		if err != nil || n < 1 {
			problems = append(problems, fmt.Errorf("%s must be a positive number, not %q", name, values[name]))
		}
		return n
	}
	folder := func(name string) string {
		path := values[name]
		if home, err := os.UserHomeDir(); err == nil && strings.HasPrefix(path, "~/") {
			path = filepath.Join(home, path[2:])
		}
		if !filepath.IsAbs(path) || path == "/" || strings.ContainsAny(path, " \t") {
			problems = append(problems, fmt.Errorf("%s must be an absolute path without spaces, not %q", name, values[name]))
		}
		return filepath.Clean(path)
	}
	s.Cache, s.State = folder("KEELWAY_CACHE"), folder("KEELWAY_STATE")
	s.NodeName = values["KEELWAY_NODE_NAME"]
	s.MaxPods, s.GiteaUID = number("KEELWAY_MAX_PODS"), number("KEELWAY_GITEA_UID")
	problems = append(problems, s.network(values)...)
	for name := range values {
		if port, ok := strings.CutPrefix(name, "KEELWAY_PORT_"); ok {
			s.Ports[strings.ToLower(port)] = number(name)
		}
		if tool, ok := strings.CutPrefix(name, "KEELWAY_VERSION_"); ok {
			s.Versions[strings.ToLower(tool)] = values[name]
		}
	}
	for _, port := range requiredPorts {
		if s.Ports[port] < 1 || s.Ports[port] > 65535 {
			problems = append(problems, fmt.Errorf("KEELWAY_PORT_%s must be a port, 1 to 65535", strings.ToUpper(port)))
		}
	}
	return s, errors.Join(problems...)
}

func (s *Settings) network(values map[string]string) []error {
	var problems []error
	var err error
	if s.NodeIP, err = netip.ParseAddr(values["KEELWAY_NODE_IP"]); err != nil || !s.NodeIP.Is4() || s.NodeIP.IsLoopback() {
		problems = append(problems, errors.New("KEELWAY_NODE_IP must be an IPv4 address outside 127.0.0.0/8 (the API server refuses to advertise that)"))
	}
	if s.PodCIDR, err = netip.ParsePrefix(values["KEELWAY_POD_CIDR"]); err != nil || !s.PodCIDR.Addr().Is4() {
		problems = append(problems, errors.New("KEELWAY_POD_CIDR must be an IPv4 range such as 10.244.0.0/16"))
	}
	if s.ServiceCIDR, err = netip.ParsePrefix(values["KEELWAY_SERVICE_CIDR"]); err != nil || !s.ServiceCIDR.Addr().Is4() {
		problems = append(problems, errors.New("KEELWAY_SERVICE_CIDR must be an IPv4 range such as 10.96.0.0/16"))
	}
	if s.DNSIP, err = netip.ParseAddr(values["KEELWAY_DNS_IP"]); err != nil || !s.ServiceCIDR.Contains(s.DNSIP) {
		problems = append(problems, errors.New("KEELWAY_DNS_IP must be an address of KEELWAY_SERVICE_CIDR"))
	}
	return problems
}

func pairs(text string) (map[string]string, error) {
	values := map[string]string{}
	lines := bufio.NewScanner(strings.NewReader(text))
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, found := strings.Cut(line, "=")
		if !found {
			return nil, fmt.Errorf("%s:%d: want NAME=value, not %q", File, number, line)
		}
		values[name] = value
	}
	return values, lines.Err()
}
