#!/usr/bin/env bash
# Sourced: a throw-away PostgreSQL (15 or newer) of binaries that are there, or that apt-get brings.
#
# Before: `settings`, lines for postgresql.conf, and `base`, where the cluster is made. After `start_cluster`:
# `cluster_url`, and `stop_cluster` takes everything away.
# shellcheck disable=SC2154  # settings and base are the caller's

cluster='' postgres_bin=''

version() { "$1/postgres" --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/'; }

# PATH first, links followed: a link to initdb may have no neighbours.
binary_directories() {
    local initdb
    initdb=$(command -v initdb) && dirname "$(readlink -f "$initdb")"
    pg_config --bindir 2>/dev/null || true
    printf '%s\n' /usr/lib/postgresql/*/bin /usr/pgsql-*/bin {/opt/homebrew,/usr/local}/opt/postgresql*/bin |
        sort -rV
}

find_binaries() {
    local bin directories
    directories=$(binary_directories)
    while read -r bin; do
        if [[ -x $bin/initdb && -x $bin/pg_ctl && -x $bin/postgres ]] && (($(version "$bin") >= 15)); then
            postgres_bin=$bin
            return
        fi
    done <<<"$directories"
    return 1
}

# PostgreSQL refuses to run as root: then somebody else runs it, in a directory that is theirs.
as_server() (
    program=$postgres_bin/$1
    shift
    cd "$cluster"
    if ((EUID != 0)); then
        exec "$program" "$@"
    fi
    user=postgres
    id "$user" >/dev/null 2>&1 || user=nobody
    chown "$user" .
    become=(setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups)
    if "${become[@]}" true 2>/dev/null; then
        exec "${become[@]}" "$program" "$@"
    fi
    # shellcheck disable=SC2016  # for the inner shell
    exec su -s /bin/sh -c 'exec "$0" "$@"' -- "$user" "$program" "$@"
)

start_cluster() {
    local port
    # Not in TMPDIR, which may be closed to the server's user, or too long for the path of a socket.
    cluster=$(mktemp -d "$base"/rosterd-postgres.XXXXXX)
    as_server initdb -D "$cluster/data" -U postgres -A trust -E UTF8 --no-locale --no-sync >/dev/null
    {
        printf '%s\n' "${settings[@]}"
        echo "listen_addresses = '127.0.0.1'"
        echo "unix_socket_directories = '$cluster'"
    } >>"$cluster/data/postgresql.conf"

    # Below the ports that the kernel gives to outgoing connections. On one that is taken the start fails.
    for _ in {1..5}; do
        port=$((20000 + RANDOM % 12000))
        if as_server pg_ctl start -w -D "$cluster/data" -l "$cluster/log" -o "-p $port" >/dev/null 2>&1; then
            cluster_url=postgres://postgres@127.0.0.1:$port/postgres
            say "PostgreSQL $(version "$postgres_bin"): a throw-away cluster on 127.0.0.1:$port," \
                "by $postgres_bin"
            return
        fi
    done
    say "the PostgreSQL of $postgres_bin does not start; the end of its log:"
    tail -n 20 "$cluster/log" >&2
    exit 1
}

install_package() {
    if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
        return 1
    fi
    say "no PostgreSQL 15 or newer here: apt-get install postgresql"
    apt-get update -qq >&2 || true
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends postgresql </dev/null >&2
    # For the tests of poolers, which say so where there is none.
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends pgbouncer </dev/null >&2 || true
}

stop_cluster() {
    if [[ $cluster ]]; then
        as_server pg_ctl stop -D "$cluster/data" -m immediate >/dev/null 2>&1 || true
        rm -rf "$cluster"
        cluster=''
    fi
}
