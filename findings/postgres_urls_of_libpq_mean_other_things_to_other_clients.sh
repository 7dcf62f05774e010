#!/usr/bin/env bash
# PyPI psycopg 3.3.9, asyncpg 0.32.0 and npm postgres 3.4.9, pg 8.23.1 (Python 3.11, Node 20, PostgreSQL 15, seen on 2026-11-27):
#
# Programs that share a database often share one DATABASE_URL. libpq's documentation (34.1.2) defines parameters that concern the client's end of the
# connection, such as `connect_timeout`, `keepalives_idle` and `tcp_user_timeout`. All four clients take such URLs. Expected: a client obeys such a parameter, ignores it, or
# names it in an error of its own.
#
# asyncpg and postgres.js send parameters that they do not know to the server as settings of the session (asyncpg documents it). What follows depends on the
# server's list of settings:
#
# - `connect_timeout` (asyncpg), `keepalives_idle` and `channel_binding` (both) are no settings. The server ends the connection with "unrecognized
#   configuration parameter", as if it were too old.
# - `tcp_user_timeout` is by chance the name of a setting. The connection works, and the time-out is set at the server's end. The client's end,
#   which the URL is about, stays without. psycopg, which is libpq, leaves the server's setting alone.
#
# pg ignores all of these, but to it `sslmode=prefer`, libpq's default, is a demand: a server without TLS is refused.
set -euo pipefail
binaries=$(dirname "$(command -v initdb || ls /usr/lib/postgresql/*/bin/initdb | tail -n 1)")
folder=$(mktemp -d)
port=54871
as_owner() { "$@"; }
if ((EUID == 0)); then as_owner() { setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"; }; fi
stop() {
    as_owner "$binaries/pg_ctl" -D "$folder/data/db" -m immediate stop > /dev/null 2>&1 || true
    rm -rf "$folder"
}
trap stop EXIT
chmod 755 "$folder"
mkdir "$folder/data"
if ((EUID == 0)); then chown nobody "$folder/data"; fi
cd "$folder"
as_owner "$binaries/initdb" -D "$folder/data/db" -U app -A trust > /dev/null
as_owner "$binaries/pg_ctl" -D "$folder/data/db" -w -l "$folder/data/log" \
    -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=''" start > /dev/null
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check 'psycopg[binary]==3.3.9' asyncpg==0.32.0
npm init -y > /dev/null
npm install --silent --no-audit --no-fund postgres@3.4.9 pg@8.23.1

cat > parameters.json <<'JSON'
["connect_timeout=5", "keepalives_idle=30", "channel_binding=prefer", "tcp_user_timeout=9000", "sslmode=prefer"]
JSON
cat > run.py <<'PYTHON'
import asyncio
import json
import sys
import asyncpg
import psycopg

async def by_asyncpg(url):
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval("SHOW tcp_user_timeout")
    finally:
        await connection.close()

def by_psycopg(url):
    with psycopg.connect(url) as connection:
        return connection.execute("SHOW tcp_user_timeout").fetchone()[0]

for parameter in json.load(open("parameters.json")):
    for name, ask in [("psycopg", by_psycopg), ("asyncpg", lambda url: asyncio.run(by_asyncpg(url)))]:
        try:
            seen = f"connected; the server's tcp_user_timeout is {ask(sys.argv[1] + parameter)}"
        except Exception as error:
            seen = str(error)
        print(f"{parameter} {name}: {seen}")
PYTHON
cat > run.cjs <<'NODE'
const { Client } = require('pg');
const postgres = require('postgres');
const byPg = async (url) => {
  const client = new Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query('SHOW tcp_user_timeout');
  await client.end();
  return rows[0].tcp_user_timeout;
};
const byPostgres = async (url) => {
  const sql = postgres(url, { max: 1 });
  try {
    return (await sql`SHOW tcp_user_timeout`)[0].tcp_user_timeout;
  } finally {
    await sql.end();
  }
};
(async () => {
  for (const parameter of require('./parameters.json')) {
    for (const [name, ask] of [['postgres', byPostgres], ['pg', byPg]]) {
      const seen = await ask(process.argv[2] + parameter).then(
        (timeout) => `connected; the server's tcp_user_timeout is ${timeout}`,
        (error) => error.message,
      );
      console.log(`${parameter} ${name}: ${seen}`);
    }
  }
})();
NODE
url="postgres://app@127.0.0.1:$port/postgres?"
{ venv/bin/python run.py "$url" && timeout 60 node --no-warnings run.cjs "$url"; } > seen

diff - seen <<'EXPECTED' && echo "unchanged" && cat seen
connect_timeout=5 psycopg: connected; the server's tcp_user_timeout is 0
connect_timeout=5 asyncpg: unrecognized configuration parameter "connect_timeout"
keepalives_idle=30 psycopg: connected; the server's tcp_user_timeout is 0
keepalives_idle=30 asyncpg: unrecognized configuration parameter "keepalives_idle"
channel_binding=prefer psycopg: connected; the server's tcp_user_timeout is 0
channel_binding=prefer asyncpg: unrecognized configuration parameter "channel_binding"
tcp_user_timeout=9000 psycopg: connected; the server's tcp_user_timeout is 0
tcp_user_timeout=9000 asyncpg: connected; the server's tcp_user_timeout is 9000
sslmode=prefer psycopg: connected; the server's tcp_user_timeout is 0
sslmode=prefer asyncpg: connected; the server's tcp_user_timeout is 0
connect_timeout=5 postgres: connected; the server's tcp_user_timeout is 0
connect_timeout=5 pg: connected; the server's tcp_user_timeout is 0
keepalives_idle=30 postgres: unrecognized configuration parameter "keepalives_idle"
keepalives_idle=30 pg: connected; the server's tcp_user_timeout is 0
channel_binding=prefer postgres: unrecognized configuration parameter "channel_binding"
channel_binding=prefer pg: connected; the server's tcp_user_timeout is 0
tcp_user_timeout=9000 postgres: connected; the server's tcp_user_timeout is 9000
tcp_user_timeout=9000 pg: connected; the server's tcp_user_timeout is 0
sslmode=prefer postgres: connected; the server's tcp_user_timeout is 0
sslmode=prefer pg: The server does not support SSL connections
EXPECTED
