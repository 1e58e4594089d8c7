package sweep

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"keelway.dev/e2e/cluster/internal/settings"
)

// proxyMark is written before kube-proxy starts: only then are the tables named after it ours to delete.
const proxyMark = "kube-proxy-started"

// ourTables lists "family name" of the tables that are ours.
func ourTables(s settings.Settings) []string {
	text, err := exec.Command("nft", "list", "tables").Output()
	if err != nil {
		return nil
	}
	_, err = os.Stat(s.Path(proxyMark))
	return tablesIn(string(text), err == nil)
}

func tablesIn(listing string, withProxy bool) []string {
	var found []string
	for _, line := range strings.Split(listing, "\n") {
		fields := strings.Fields(line)
		if len(fields) != 3 || fields[0] != "table" {
			continue
		}
		switch name := fields[2]; {
		case name == NatTable, name == PolicyTable, name == "kube-proxy" && withProxy:
			found = append(found, fields[1]+" "+name)
		}
	}
	return found
}

func tables(s settings.Settings) {
	for _, table := range ourTables(s) {
		_ = exec.Command("nft", append([]string{"delete", "table"}, strings.Fields(table)...)...).Run()
	}
}

// MarkProxy writes down that kube-proxy is about to start. It fails when another one has its tables here.
func MarkProxy(s settings.Settings) error {
	text, err := exec.Command("nft", "list", "tables").Output()
	if err != nil {
		return fmt.Errorf("nft: %w; hack/deps.sh installs what is missing", err)
	}
	if len(tablesIn(string(text), true)) > 0 {
		return errors.New("another kube-proxy has its nftables tables on this machine; stop that Kubernetes node first, or `nft delete table ip kube-proxy` if it is gone")
	}
	return os.WriteFile(s.Path(proxyMark), nil, 0o644)
}

// ourLinks are the interfaces whose address is the pods' gateway: the host's ends of the pods' links.
func ourLinks(s settings.Settings) []string {
	text, err := ip("-json", "address", "show", "to", s.PodGateway().String()+"/32")
	if err != nil {
		return nil
	}
	var links []struct {
		Name string `json:"ifname"`
	}
	if json.Unmarshal([]byte(text), &links) != nil {
		return nil
	}
	var names []string
	for _, link := range links {
		if link.Name != "" {
			names = append(names, link.Name)
		}
	}
	return names
}

func links(s settings.Settings) {
	// They go with their pods' network namespaces, which the kernel removes a moment after the last process.
	for deadline := time.Now().Add(2 * time.Second); len(ourLinks(s)) > 0 && time.Now().Before(deadline); {
		time.Sleep(50 * time.Millisecond)
	}
	for _, name := range ourLinks(s) {
		_, _ = ip("link", "delete", name)
	}
}

// AddAddress puts the node's address on the loopback device, with a label that marks it as ours.
func AddAddress(s settings.Settings) error {
	text, err := ip("-brief", "address", "show", "to", s.NodeIP.String()+"/32")
	if err != nil {
		return err
	}
	if strings.TrimSpace(text) != "" {
		return fmt.Errorf("the address %s is in use on this machine; set KEELWAY_NODE_IP to another one", s.NodeIP)
	}
	_, err = ip("address", "add", s.NodeIP.String()+"/32", "dev", "lo", "label", AddressLabel)
	return err
}

// changedSysctls are the kernel settings that the kubelet, the CNI plugins or we change.
var changedSysctls = []string{
	"net/ipv4/ip_forward", "net/ipv4/conf/all/route_localnet", "vm/overcommit_memory", "vm/panic_on_oom",
	"kernel/panic", "kernel/panic_on_oops", "kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes",
}

const sysctlFile = "sysctls-before.json"

// SaveSysctls keeps the kernel's settings, to be restored by the sweep, and switches forwarding on.
func SaveSysctls(s settings.Settings) error {
	before := map[string]string{}
	for _, name := range changedSysctls {
		// A kernel without the setting cannot have it changed either.
		if value, err := os.ReadFile(filepath.Join("/proc/sys", name)); err == nil {
			before[name] = strings.TrimSpace(string(value))
		}
	}
	text, err := json.Marshal(before)
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.Path(sysctlFile), text, 0o644); err != nil {
		return err
	}
	return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644)
}

func restoreSysctls(s settings.Settings) {
	text, err := os.ReadFile(s.Path(sysctlFile))
	if err != nil {
		return
	}
	before := map[string]string{}
	if json.Unmarshal(text, &before) != nil {
		return
	}
	for name, value := range before {
		_ = os.WriteFile(filepath.Join("/proc/sys", name), []byte(value), 0o644)
	}
}
