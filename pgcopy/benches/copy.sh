#!/usr/bin/env bash
# The figures of keelway-pgcopy beside its peers: same servers, same data, same run, medians after a warm-up, orders
# alternating. Prints `figure: value unit (peer: value)` and writes target/bench/copy.json.
#   SCALE  thousandths of about 1.9 GB of data (default 1100)
#   ROUNDS measured rounds (default 3)
#   ENGINE the command (default target/release/keelway-pgcopy)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
scale=${SCALE:-1100} rounds=${ROUNDS:-3}
engine=$(realpath "${ENGINE:-${CARGO_TARGET_DIR:-$root/target}/release/keelway-pgcopy}")
out="$root/target/bench"
declare -A at
while IFS='=' read -r name path; do at[$name]=$path; done < <("$root/hack/postgres.sh" pgcopydb)
bin15=${at[pg15]}/bin bin18=${at[pg18]}/bin tools=${at[tools]}/bin
work=$(mktemp -d /tmp/kwbench.XXXX)
chmod 755 "$work"
user=()
if [ "$(id -u)" = 0 ]; then user=(setpriv --reuid=65534 --regid=65534 --clear-groups env HOME=/tmp); chown 65534:65534 "$work"; fi
servers=()
finish() {
    for data in "${servers[@]}"; do "${user[@]}" "$bin15/pg_ctl" -D "$data" -m immediate stop >/dev/null 2>&1 || true; done
    if mountpoint -q "$work/reflink"; then umount "$work/reflink"; fi
    rm -rf "$work"
}
trap finish EXIT
cd /

# server NAME BIN [FOLDER [WAL]]: an own server with ordinary settings and a socket in $work/NAME
server() {
    local folder=${3:-$work/$1}
    "${user[@]}" mkdir -p "$folder"
    "${user[@]}" "$2/initdb" -U admin -A trust -E UTF8 --locale=C.UTF-8 -D "$folder/data" ${4:+-X "$4"} >/dev/null
    "${user[@]}" "$2/pg_ctl" -D "$folder/data" -l "$folder/log" -w \
        -o "-c listen_addresses= -c unix_socket_directories=$folder -c shared_buffers=256MB -c max_wal_size=8GB -c autovacuum=off" start >/dev/null
    servers+=("$folder/data")
    psql "$folder" postgres -c "CREATE ROLE copier LOGIN CREATEDB"
}
psql() { local at=$1 database=$2; shift 2; "$tools/psql" -X -q -v ON_ERROR_STOP=1 -h "$at" -U admin -d "$database" "$@"; }
now() { date +%s%N; }
source=$work/source target=$work/target
server source "$bin15"
server target "$bin15"
psql "$source" postgres -c "CREATE DATABASE shop"
psql "$source" shop -v scale="$scale" -f "$here/shop.sql"
echo "data: $(psql "$source" shop -Atc 'SELECT pg_size_pretty(pg_database_size(current_database()))'), scale $scale/1000; load average $(cut -d' ' -f1-3 /proc/loadavg)"

# A policy of every column: kept, or masked as masks.txt says.
policy() { # MASKS [DATABASE]
    psql "$source" "${2:-shop}" -Atc "SELECT relname, attname FROM pg_class c JOIN pg_attribute a ON attrelid = c.oid WHERE relnamespace = 'public'::regnamespace
        AND relkind IN ('r', 'p') AND NOT relispartition AND attnum > 0 AND NOT attisdropped ORDER BY relname, attnum" |
        awk -F'|' -v masks="$1" 'BEGIN { while ((getline line < masks) > 0) { split(line, p, " "); m[p[1]] = substr(line, length(p[1]) + 2) } print "tables:" }
            $1 != last { print "- name: " $1; print "  columns:"; last = $1 }
            { rule = ($1 "." $2 in m) ? "mask: " m[$1 "." $2] : "keep: true"
              print "  - {name: " $2 ", " rule ", accept: [copy, frequency, check, unique]}" }'
}
policy "$here/masks.txt" >"$work/masked.yaml"
policy /dev/null >"$work/kept.yaml"
export FROM_URL="host=$source user=admin dbname=shop" TO_URL="host=$target user=copier dbname=gold"
export MASTER=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f

# Each contender copies shop into a database of the target; its time is printed in milliseconds.
peak=0
engine() { # POLICY
    "$engine" copy --from FROM_URL --to TO_URL --policy "$work/$1.yaml" --key MASTER --jobs 2 --pg-bin "$bin15" --report "$work/report.json" --quiet &
    local child=$! high
    while high=$(awk '/VmHWM/ {print $2}' "/proc/$child/status" 2>/dev/null) && [ -n "$high" ]; do
        if [ "$high" -gt "$peak" ]; then peak=$high; fi
        sleep 0.1
    done
    wait "$child"
}
# All begin with nothing to replace: what the round before made is dropped outside of the time that is taken.
fresh() { psql "$target" postgres -c "DROP DATABASE IF EXISTS gold" -c "DROP DATABASE IF EXISTS $1" -c "CREATE DATABASE $1"; }
masked() { engine masked; }
kept() { engine kept; }
dump() {
    rm -rf "$work/dump"
    "$bin15/pg_dump" -h "$source" -U admin -Fd -j2 $1 -f "$work/dump" shop
    "$bin15/pg_restore" -h "$target" -U admin -j2 -d peer "$work/dump"
    psql "$target" peer -c ANALYZE
}
gzip_dump() { dump ""; }
plain_dump() { dump -Z0; }
pgcopydb() {
    rm -rf "$work/pgcopydb"
    PATH="$bin15:$PATH" "${at[pgcopydb]}/bin/pgcopydb" clone --source "host=$source user=admin dbname=shop" --target "host=$target user=admin dbname=peer" \
        --table-jobs 2 --index-jobs 2 --dir "$work/pgcopydb" --no-acl --no-owner --skip-large-objects >"$work/pgcopydb.log" 2>&1 || { tail -5 "$work/pgcopydb.log" >&2; return 1; }
}
pipe() {
    psql "$source" shop -c "COPY $1 TO STDOUT (FORMAT binary)" | psql "$target" peer -c "COPY $1 FROM STDIN (FORMAT binary)"
}
limit() {
    "$bin15/pg_dump" -h "$source" -U admin -s -Fc -f "$work/schema" shop
    "$bin15/pg_restore" -h "$target" -U admin -d peer --section=pre-data "$work/schema"
    export -f pipe psql; export source target tools
    psql "$source" shop -Atc "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY pg_table_size(oid) DESC" |
        xargs -P2 -I{} bash -c 'set -eo pipefail; pipe "$1"' _ {}
    "$bin15/pg_restore" -h "$target" -U admin -d peer -j2 --section=post-data "$work/schema"
    psql "$target" peer -c ANALYZE
}
# CPU seconds of the source's server so far, ended sessions included.
source_cpu() {
    local postmaster; postmaster=$(head -n 1 "$source/data/postmaster.pid")
    awk '{print ($14 + $15 + $16 + $17) / 100}' "/proc/$postmaster/stat"
}
contenders=(masked kept gzip_dump plain_dump pgcopydb limit)
declare -A times
for round in $(seq 0 "$rounds"); do
    for i in "${!contenders[@]}"; do
        if [ $((round % 2)) = 0 ]; then name=${contenders[$i]}; else name=${contenders[-1-$i]}; fi
        fresh peer
        psql "$target" postgres -c CHECKPOINT
        cpu=$(source_cpu)
        start=$(now)
        "$name"
        took=$((($(now) - start) / 1000000))
        echo "round $round $name $took ms, the source's CPU $(awk -v a="$(source_cpu)" -v b="$cpu" 'BEGIN {printf "%.1f", a - b}') s" >&2
        if [ "$round" -gt 0 ]; then times[$name]+="$took "; fi
    done
done
median() { tr ' ' '\n' <<<"$1" | grep . | sort -n | awk '{v[NR] = $1} END {print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'; }
declare -A m
for name in "${contenders[@]}"; do m[$name]=$(median "${times[$name]}"); done
json=()
figure() { echo "$1: $2 $3 ($4: $5)"; json+=("  {\"name\": \"$1\", \"value\": $2, \"unit\": \"$3\", \"peer\": \"$4\", \"peer_value\": $5}"); }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN {printf "%.3f", a / b}'; }
figure copy.vs_pgdump "$(ratio "${m[masked]}" "${m[gzip_dump]}")" ratio "pg_dump + pg_restore, ms" "${m[gzip_dump]}"
figure copy.vs_pgdump_z0 "$(ratio "${m[masked]}" "${m[plain_dump]}")" ratio "pg_dump -Z0 + pg_restore, ms" "${m[plain_dump]}"
figure copy.vs_pgcopydb "$(ratio "${m[masked]}" "${m[pgcopydb]}")" ratio "pgcopydb, ms" "${m[pgcopydb]}"
figure copy.vs_limit "$(ratio "${m[masked]}" "${m[limit]}")" ratio "binary pipes, ms" "${m[limit]}"
figure copy.masking_cost "$(awk -v a="${m[masked]}" -v b="${m[kept]}" 'BEGIN {printf "%.3f", a / b - 1}')" ratio "without masks, ms" "${m[kept]}"
figure copy.memory_mib "$(awk -v k="$peak" 'BEGIN {printf "%.1f", k / 1024}')" MiB "bound" 64
full=$peak peak=0
# pgbench's own tables, without masks: what a schema of four tables and one large one costs.
psql "$source" postgres -c "CREATE DATABASE pgbench"
"$tools/pgbench" -q -i -s "$((50 * scale / 1000 + 1))" -h "$source" -U admin pgbench >/dev/null 2>&1
policy /dev/null pgbench >"$work/pgbench.yaml"
pgbench=()
for contender in ours theirs; do
    fresh peer
    psql "$target" postgres -c CHECKPOINT
    start=$(now)
    if [ "$contender" = ours ]; then
        FROM_URL="host=$source user=admin dbname=pgbench" engine pgbench
    else
        rm -rf "$work/dump"
        "$bin15/pg_dump" -h "$source" -U admin -Fd -j2 -f "$work/dump" pgbench
        "$bin15/pg_restore" -h "$target" -U admin -j2 -d peer "$work/dump"
        psql "$target" peer -c ANALYZE
    fi
    pgbench+=("$((($(now) - start) / 1000000))")
done
figure copy.pgbench_vs_pgdump "$(ratio "${pgbench[0]}" "${pgbench[1]}")" ratio "pg_dump + pg_restore, ms" "${pgbench[1]}"
peak=0
psql "$source" postgres -c "CREATE DATABASE tenth"
psql "$source" tenth -v scale="$((scale / 10))" -f "$here/shop.sql"
fresh peer
FROM_URL="host=$source user=admin dbname=tenth" engine masked
figure copy.memory_tenth_mib "$(awk -v k="$peak" 'BEGIN {printf "%.1f", k / 1024}')" MiB "all of the data, MiB" "$(awk -v k="$full" 'BEGIN {printf "%.1f", k / 1024}')"

# Clones, on 18.
clone_ms() { # FOLDER TEMPLATE NAME [METHOD]
    local start; start=$(now)
    SERVER_URL="host=$1 user=copier dbname=postgres" "$engine" clone --server SERVER_URL --template "$2" --name "$3" ${4:+--method "$4"}
    echo $((($(now) - start) / 1000000))
}
several() { local list=""; for i in 1 2 3 4; do list+="$(clone_ms "$1" "$2" "c$RANDOM$i" "${3:-}") "; done; median "${list#* }"; }
golden() { # FOLDER DATABASE ROWS: a finished copy of about ROWS × 1 kB
    psql "$source" postgres -c "DROP DATABASE IF EXISTS $2" -c "CREATE DATABASE $2"
    psql "$source" "$2" -c "CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t SELECT i, repeat(md5(i::text), 30) FROM generate_series(1, $3) i"
    printf 'tables: [{name: t, columns: [{name: id, keep: true}, {name: a, keep: true, accept: [copy]}]}]\n' >"$work/t.yaml"
    GOLD_FROM="host=$source user=admin dbname=$2" GOLD_TO="host=$1 user=copier dbname=$2" "$engine" copy --from GOLD_FROM --to GOLD_TO --policy "$work/t.yaml" --pg-bin "$tools" --quiet
    psql "$1" postgres -c CHECKPOINT
}
clones=$work/clones
server clones "$bin18"
golden "$clones" small 2000
golden "$clones" large $((500 * scale))
figure clone.10mb_ms "$(several "$clones" small)" ms bound 60
ours=$(several "$clones" large)
plain=""
for i in 1 2 3 4; do
    psql "$clones" postgres -c CHECKPOINT
    start=$(now)
    psql "$clones" postgres -c "CREATE DATABASE p$i TEMPLATE large STRATEGY file_copy"
    plain+="$((($(now) - start) / 1000000)) "
done
figure clone.vs_filecopy "$(ratio "$ours" "$(median "${plain#* }")")" ratio "CREATE DATABASE, ms" "$(median "${plain#* }")"
if [ "$(id -u)" = 0 ] && ! command -v mkfs.xfs >/dev/null; then
    echo "missing: xfsprogs — a file system that shares blocks" >&2
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends xfsprogs >/dev/null || true
fi
if command -v mkfs.xfs >/dev/null && [ "$(id -u)" = 0 ]; then
    truncate -s 6G "$work/disk"
    mkfs.xfs -q -m reflink=1 "$work/disk"
    mkdir "$work/reflink"
    mount -o loop "$work/disk" "$work/reflink"
    chown 65534:65534 "$work/reflink"
    server reflink "$bin18" "$work/reflink" "$work/reflink-wal"
    golden "$work/reflink" large 500000
    figure clone.reflink_500mb_ms "$(several "$work/reflink" large)" ms bound 150
    psql "$work/reflink" postgres -c "CREATE TABLE dirty AS SELECT repeat(md5(i::text), 30) AS a FROM generate_series(1, 200000) i"
    echo "clone with about 200 MB dirty elsewhere: $(clone_ms "$work/reflink" large dirty1) ms"
    free() { psql "$work/reflink" postgres -c CHECKPOINT; sync -f "$work/reflink"; df --output=avail -k "$work/reflink" | tail -n 1; }
    before=$(free)
    for i in $(seq 20); do clone_ms "$work/reflink" large "s$i" >/dev/null; done
    for i in $(seq 20); do psql "$work/reflink" "s$i" -c "SELECT count(a) FROM t" >/dev/null; done
    lost=$((before - $(free)))
    size=$(psql "$work/reflink" postgres -Atc "SELECT pg_database_size('large') / 1024")
    figure clone.storage_20 "$(awk -v l="$lost" -v s="$size" 'BEGIN {printf "%.4f", l / (20 * s)}')" ratio "20 copies, KiB" "$((20 * size))"
else
    echo "clone.reflink_500mb_ms: not measured (mkfs.xfs and root are needed)"
fi
mkdir -p "$out"
{ echo "["; (IFS=$'\n'; echo "${json[*]}") | sed '$!s/$/,/'; echo "]"; } >"$out/copy.json"
