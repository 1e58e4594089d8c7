# Sourced by scripts: exports what e2e/settings.env says, unless the environment says otherwise.
while IFS='=' read -r name value; do
	case "$name" in
	KEELWAY_*) [ -n "${!name:-}" ] || export "$name=${value/#\~/$HOME}" ;;
	esac
done <"$(dirname "${BASH_SOURCE[0]}")/../e2e/settings.env"
