// Package sweep removes everything that a cluster left on this machine, however it ended, and can prove that nothing
// is left. It touches only what carries a mark of ours: processes by their state folder, the control group, the state
// folder's mounts, links with the pod gateway's address, an address with our label, and tables with our names.
package sweep

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"keelway.dev/e2e/cluster/internal/process"
	"keelway.dev/e2e/cluster/internal/settings"
)

// NatTable and PolicyTable are the nftables tables of the cluster, of family ip; kube-proxy makes its own beside them.
const (
	NatTable    = "keelway-nat"
	PolicyTable = "keelway-policy"
)

// AddressLabel marks the node's address on the loopback device as ours.
const AddressLabel = "lo:keelway"

// patience is how long processes and links get to vanish after they were told to.
const patience = 15 * time.Second

// All removes everything, the state folder included. What cannot be removed is named in the error.
func All(s settings.Settings) error {
	processes(s)
	cgroups()
	mounts(s)
	tables(s)
	links(s)
	if _, err := ip("address", "show", "dev", "lo", "label", AddressLabel); err == nil {
		_, _ = ip("address", "delete", s.NodeIP.String()+"/32", "dev", "lo")
	}
	restoreSysctls(s)
	process.RemoveShadows(s)
	if err := os.RemoveAll(s.State); err != nil {
		return fmt.Errorf("the state folder stays behind: %w", err)
	}
	if left := Left(s); len(left) > 0 {
		return fmt.Errorf("left behind:\n  %s", strings.Join(left, "\n  "))
	}
	return nil
}

// Left names all that is still there, one thing per line; nothing means a clean machine.
func Left(s settings.Settings) []string {
	var left []string
	for _, found := range process.Ours(s) {
		left = append(left, fmt.Sprintf("process %d: %s", found.PID, found.Command))
	}
	for _, group := range process.Cgroups() {
		left = append(left, "control group "+group)
	}
	for _, mount := range ourMounts(s) {
		left = append(left, "mount "+mount)
	}
	for _, table := range ourTables(s) {
		left = append(left, "nftables table "+table)
	}
	for _, link := range ourLinks(s) {
		left = append(left, "interface "+link)
	}
	if text, err := ip("address", "show", "dev", "lo", "label", AddressLabel); err == nil && strings.Contains(text, AddressLabel) {
		left = append(left, "address "+s.NodeIP.String()+" on lo")
	}
	if _, err := os.Lstat(s.State); err == nil {
		left = append(left, "folder "+s.State)
	}
	return left
}

func processes(s settings.Settings) {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		found := process.Ours(s)
		if len(found) == 0 {
			return
		}
		for _, one := range found {
			_ = syscall.Kill(one.PID, syscall.SIGKILL)
		}
	}
}

func cgroups() {
	for _, root := range process.Cgroups() {
		var folders []string
		_ = filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				folders = append(folders, path)
			}
			return nil
		})
		// A group can go once its children are gone; the kernel may need a moment after the last process.
		sort.Sort(sort.Reverse(sort.StringSlice(folders)))
		for _, folder := range folders {
			for try := 0; unix.Rmdir(folder) == unix.EBUSY && try < 40; try++ {
				time.Sleep(50 * time.Millisecond)
			}
		}
	}
}

func ourMounts(s settings.Settings) []string {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	return mountsBelow(string(text), s.State)
}

// mountsBelow lists the mount points in a mountinfo that are below a folder, the deepest first.
func mountsBelow(mountinfo, folder string) []string {
	var found []string
	for _, line := range strings.Split(mountinfo, "\n") {
		fields := strings.Fields(line)
		if len(fields) < 5 {
			continue
		}
		point := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(fields[4])
		if point == folder || strings.HasPrefix(point, folder+"/") {
			found = append(found, point)
		}
	}
	sort.Sort(sort.Reverse(sort.StringSlice(found)))
	return found
}

func mounts(s settings.Settings) {
	for _, point := range ourMounts(s) {
		_ = unix.Unmount(point, unix.MNT_DETACH)
	}
}

func ip(args ...string) (string, error) {
	text, err := exec.Command("ip", args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(text)))
	}
	return string(text), nil
}
