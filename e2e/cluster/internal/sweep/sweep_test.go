package sweep

import (
	"slices"
	"testing"
)

func TestOnlyMountsBelowTheFolderAreOursDeepestFirst(t *testing.T) {
	const info = `22 1 0:20 / /var/lib/keelway-cluster rw - ext4 /dev/a rw
23 22 0:21 / /var/lib/keelway-cluster/a\040b/c rw - tmpfs tmpfs rw
24 22 0:22 / /var/lib/keelway-cluster-2/x rw - tmpfs tmpfs rw
25 1 0:23 / / rw - ext4 /dev/b rw
`
	got := mountsBelow(info, "/var/lib/keelway-cluster")
	want := []string{"/var/lib/keelway-cluster/a b/c", "/var/lib/keelway-cluster"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestKubeProxysTablesAreOursOnlyIfWeStartedIt(t *testing.T) {
	const listing = "table ip keelway-nat\ntable ip keelway-policy\ntable ip kube-proxy\ntable ip6 kube-proxy\ntable inet filter\ntable ip keelway-natural\n"
	if got, want := tablesIn(listing, false), []string{"ip keelway-nat", "ip keelway-policy"}; !slices.Equal(got, want) {
		t.Errorf("without: %q", got)
	}
	if got, want := tablesIn(listing, true), []string{"ip keelway-nat", "ip keelway-policy", "ip kube-proxy", "ip6 kube-proxy"}; !slices.Equal(got, want) {
		t.Errorf("with: %q", got)
	}
}
