package netpolicy

import (
	"fmt"
	"net/netip"
	"strings"

	"sigs.k8s.io/knftables"
)

// Render fills a transaction that replaces the whole table in one step.
func Render(tx *knftables.Transaction, pods []Pod) {
	// Adding first makes the deletion succeed where there is no table yet.
	tx.Add(&knftables.Table{})
	tx.Delete(&knftables.Table{})
	tx.Add(&knftables.Table{Comment: knftables.PtrTo("network policies of the local Keelway cluster")})
	for _, name := range []string{"ingress", "egress"} {
		tx.Add(&knftables.Map{Name: name, Type: "ipv4_addr : verdict"})
	}
	tx.Add(&knftables.Chain{
		Name: "forward", Type: knftables.PtrTo(knftables.FilterType), Hook: knftables.PtrTo(knftables.ForwardHook),
		Priority: knftables.PtrTo(knftables.FilterPriority),
	})
	// What a pod sends to the node itself, cluster DNS and the API server included, does not pass forward.
	tx.Add(&knftables.Chain{
		Name: "input", Type: knftables.PtrTo(knftables.FilterType), Hook: knftables.PtrTo(knftables.InputHook),
		Priority: knftables.PtrTo(knftables.FilterPriority),
	})
	for _, rule := range [][2]string{
		{"forward", "ct state established,related accept"},
		{"forward", "ip saddr vmap @egress"},
		{"forward", "ip daddr vmap @ingress"},
		{"input", "ct state established,related accept"},
		{"input", "ip saddr vmap @egress"},
	} {
		tx.Add(&knftables.Rule{Chain: rule[0], Rule: rule[1]})
	}
	seen := map[netip.Addr]bool{}
	for i, pod := range pods {
		// Two pods show one address only while the API still lists one that is gone; the map takes it once.
		if seen[pod.IP] {
			continue
		}
		seen[pod.IP] = true
		direction(tx, fmt.Sprintf("in-%d", i), "ingress", "ip saddr", pod, pod.Ingress)
		direction(tx, fmt.Sprintf("out-%d", i), "egress", "ip daddr", pod, pod.Egress)
	}
}

// direction adds the chain of one pod and direction: what is allowed returns, the rest is dropped.
func direction(tx *knftables.Transaction, chain, table, peer string, pod Pod, allowed *[]Allow) {
	if allowed == nil {
		return
	}
	tx.Add(&knftables.Chain{Name: chain, Comment: knftables.PtrTo(shorten(pod.Name))})
	// A pod always reaches itself, through a Service too.
	tx.Add(&knftables.Rule{Chain: chain, Rule: knftables.Concat(peer, pod.IP, "return")})
	for _, allow := range *allowed {
		for _, rule := range rules(peer, allow) {
			tx.Add(&knftables.Rule{Chain: chain, Rule: rule})
		}
	}
	tx.Add(&knftables.Rule{Chain: chain, Rule: "drop"})
	tx.Add(&knftables.Element{Map: table, Key: []string{pod.IP.String()}, Value: []string{"goto " + chain}})
}

// shorten keeps a comment below nftables' limit of 128 bytes.
func shorten(text string) string { return text[:min(len(text), 100)] }

// rules are the lines that let through what one Allow says: one for each port, or a single one for all.
func rules(peer string, allow Allow) []string {
	match := ""
	switch {
	case allow.AnyPeer:
	case allow.Block.IsValid():
		if allow.Block.Bits() > 0 {
			match = peer + " " + allow.Block.String()
		}
		for _, except := range allow.Except {
			match = strings.TrimSpace(match + " " + peer + " != " + except.String())
		}
	case len(allow.Pods) == 0:
		return nil
	default:
		addresses := make([]string, len(allow.Pods))
		for i, address := range allow.Pods {
			addresses[i] = address.String()
		}
		match = peer + " { " + strings.Join(addresses, ", ") + " }"
	}
	if len(allow.Ports) == 0 {
		return []string{strings.TrimSpace(match + " return")}
	}
	var lines []string
	for _, port := range allow.Ports {
		lines = append(lines, strings.TrimSpace(match+" "+portMatch(port)+" return"))
	}
	return lines
}

func portMatch(port Port) string {
	switch {
	case port.From == 0:
		return "meta l4proto " + port.Protocol
	case port.From == port.To:
		return fmt.Sprintf("%s dport %d", port.Protocol, port.From)
	default:
		return fmt.Sprintf("%s dport %d-%d", port.Protocol, port.From, port.To)
	}
}
