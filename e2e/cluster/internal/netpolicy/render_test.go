package netpolicy

import (
	"net/netip"
	"strings"
	"testing"

	"sigs.k8s.io/knftables"
)

func rendered(t *testing.T, pods []Pod) string {
	t.Helper()
	table := knftables.NewFake(knftables.IPv4Family, "t")
	tx := table.NewTransaction()
	Render(tx, pods)
	return tx.String()
}

func TestAnAllowedPeerReturnsAndTheRestIsDropped(t *testing.T) {
	text := rendered(t, []Pod{{
		Name: "shop/web", IP: netip.MustParseAddr("10.244.0.2"),
		Ingress: &[]Allow{
			{Pods: addresses("10.244.0.3", "10.244.0.4"), Ports: []Port{{"tcp", 80, 80}, {"udp", 0, 0}}},
			{Block: netip.MustParsePrefix("10.0.0.0/8"), Except: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}, Ports: []Port{{"tcp", 1, 9}}},
			{Block: netip.MustParsePrefix("0.0.0.0/0")},
			{AnyPeer: true},
			{},
		},
	}})
	want := []string{
		"ip saddr 10.244.0.2 return",
		"ip saddr { 10.244.0.3, 10.244.0.4 } tcp dport 80 return",
		"ip saddr { 10.244.0.3, 10.244.0.4 } meta l4proto udp return",
		"ip saddr 10.0.0.0/8 ip saddr != 10.1.0.0/16 tcp dport 1-9 return",
		"return",
		"return",
		"drop",
	}
	var got []string
	for _, line := range strings.Split(text, "\n") {
		if _, rule, found := strings.Cut(line, "add rule ip t in-0 "); found {
			got = append(got, rule)
		}
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got:\n%s", strings.Join(got, "\n"))
	}
	if !strings.Contains(text, "add element ip t ingress { 10.244.0.2 : goto in-0 }") {
		t.Errorf("the pod is not sent to its chain:\n%s", text)
	}
	if strings.Contains(text, "out-0") {
		t.Errorf("egress is restricted though it is not isolated:\n%s", text)
	}
}

func TestOneAddressIsTakenOnce(t *testing.T) {
	address := netip.MustParseAddr("10.244.0.2")
	text := rendered(t, []Pod{{Name: "a/a", IP: address, Ingress: &[]Allow{}}, {Name: "b/b", IP: address, Ingress: &[]Allow{}}})
	if n := strings.Count(text, "add element"); n != 1 {
		t.Errorf("%d elements:\n%s", n, text)
	}
}
