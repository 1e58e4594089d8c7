#!/usr/bin/env bash
# Installs the OS packages that the local cluster and the tests need and this machine lacks, and says why each one.
# The daemons of the cluster (etcd, containerd, registry) are not among them: keelway-cluster unpacks those into its cache.
set -euo pipefail

# command or file to look for | package | why
needs='
git|git|Gitea serves repositories with it, and tests commit with it
ssh-keyscan|openssh-client|git over ssh in the tests
nft|nftables|Services (kube-proxy) and network policies are nftables rules
ip|iproute2|addresses and links of the node
mount|mount|volumes of pods
dpkg-deb|dpkg|unpacks the packages that are only cached
gcc|gcc|Gitea is built with SQLite, which is C; so are some Rust crates
/usr/include/stdlib.h|libc6-dev|headers for that C
/etc/ssl/certs/ca-certificates.crt|ca-certificates|images get a copy of the trusted certificate authorities
libseccomp.so.2|libseccomp2|runc is linked against it
'

has() {
	case "$1" in
	/*) [ -e "$1" ] ;;
	lib*) ldconfig -p 2>/dev/null | grep -qF "$1" || /sbin/ldconfig -p | grep -qF "$1" ;;
	*) command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || [ -x "/sbin/$1" ] ;;
	esac
}

missing=()
while IFS='|' read -r probe package why; do
	[ -n "$probe" ] || continue
	if ! has "$probe"; then
		echo "missing: $package — $why"
		missing+=("$package")
	fi
done <<<"$needs"

for tool in "go|https://go.dev/dl (1.25 or newer)" "cargo|https://rustup.rs"; do
	command -v "${tool%%|*}" >/dev/null 2>&1 || { echo "missing: ${tool%%|*} — install it from ${tool##*|} and run this again" >&2; exit 1; }
done

if [ "${#missing[@]}" -eq 0 ]; then
	exit 0
fi
if ! command -v apt-get >/dev/null 2>&1; then
	echo "this script knows only apt-get; install with your package manager: ${missing[*]}" >&2
	exit 1
fi
sudo=()
if [ "$(id -u)" -ne 0 ]; then
	sudo=(sudo)
fi
echo "installing: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${sudo[@]}" apt-get update -q
"${sudo[@]}" apt-get install -y -q --no-install-recommends "${missing[@]}"
