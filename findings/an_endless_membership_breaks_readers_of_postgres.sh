#!/usr/bin/env bash
# PyPI asyncpg 0.32.0, psycopg2-binary 2.9.13, npm pg 8.23.1, postgres 3.4.9 (Python 3.11, Node 20, PostgreSQL 15, seen on 2026-11-28):
#
# A membership without an end can be stored as `infinity` in a `timestamptz`, which PostgreSQL's documentation offers for this: it sorts after all other times.
# Expected: a client gives such a value a form that compares with the other values of its column, and writes back what it read.
#
# The time zone of the session is Zurich's. A client reads two ends of one column, one of them endless, asks for the latest, and writes the endless one back:
#
# - asyncpg gives times of the column a zone, but the endless one none. `max` or sorting raises TypeError as soon as one endless row is there; the same holds for
#   arrays and for bounds of a `tstzrange`. Giving the value the missing zone makes `max` work, and it is still `infinity` when it is written back.
# - psycopg2 gives the last microsecond of the year 9999 in UTC, which its documentation says is finite when it is written back. East of UTC that is a
#   moment of the year 10000 to the session, and psycopg2 can no longer read the row that it wrote.
# - pg gives the number Infinity: it compares and is written back, but JSON has `null` for it, which reads as "not known".
# - postgres.js gives an Invalid Date: no comparison is true, and writing it back raises an error.
set -euo pipefail
binaries=$(dirname "$(command -v initdb || ls /usr/lib/postgresql/*/bin/initdb | tail -n 1)")
folder=$(mktemp -d)
port=54875
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
    -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c timezone=Europe/Zurich" start > /dev/null
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check asyncpg==0.32.0 psycopg2-binary==2.9.13
npm init -y > /dev/null
npm install --silent --no-audit --no-fund postgres@3.4.9 pg@8.23.1

cat > run.py <<'PYTHON'
import asyncio
import datetime
import sys
import asyncpg
import psycopg2

url = sys.argv[1]
ends = "SELECT e FROM (VALUES ('2026-12-01 00:00+00'::timestamptz), ('infinity')) AS m (e)"

def attempt(name, step):
    try:
        seen = step()
    except (TypeError, ValueError) as error:
        seen = f"{type(error).__name__}: {error}"
    print(f"  {name}: {seen}")

async def by_asyncpg():
    connection = await asyncpg.connect(url)
    read = [row[0] for row in await connection.fetch(ends)]
    print("asyncpg")
    print(f"  zones of the two: {read[0].tzinfo}, {read[1].tzinfo}")
    attempt("the latest", lambda: max(read))
    array = await connection.fetchval(f"SELECT array({ends})")
    attempt("the latest of an array", lambda: max(array))
    bounds = await connection.fetchval("SELECT tstzrange('2026-12-01 00:00+00', 'infinity')")
    attempt("a range's start before its end", lambda: bounds.lower < bounds.upper)
    zoned = read[1].replace(tzinfo=datetime.timezone.utc)
    attempt("the latest, with the zone added", lambda: max(read[0], zoned).isoformat())
    print("  written back:", await connection.fetchval("SELECT ($1::timestamptz)::text", read[1]))
    print("  written back with the zone:", await connection.fetchval("SELECT ($1::timestamptz)::text", zoned))
    await connection.close()

def by_psycopg2():
    connection = psycopg2.connect(url)
    cursor = connection.cursor()
    cursor.execute(ends)
    read = [row[0] for row in cursor.fetchall()]
    print("psycopg2")
    attempt("the latest", lambda: max(read).isoformat())
    cursor.execute("CREATE TEMPORARY TABLE kept AS SELECT %s::timestamptz AS e", (read[1],))
    cursor.execute("SELECT e::text, e = 'infinity' FROM kept")
    print("  written back: %s; endless: %s" % cursor.fetchone())
    cursor.execute("SELECT e FROM kept")
    attempt("read again", lambda: cursor.fetchone()[0])

asyncio.run(by_asyncpg())
by_psycopg2()
PYTHON
cat > run.cjs <<'NODE'
const { Client } = require('pg');
const postgres = require('postgres');
const [url] = process.argv.slice(2);
const ends = "SELECT e FROM (VALUES ('2026-12-01 00:00+00'::timestamptz), ('infinity')) AS m (e)";
const show = async (name, read, write) => {
  const [first, endless] = read.map((row) => row.e);
  console.log(name);
  console.log(`  given: ${endless}; later than the first: ${endless > first}; in JSON: ${JSON.stringify(endless)}`);
  console.log(`  written back: ${await write(endless).then((rows) => rows[0].e, (error) => `${error.name}: ${error.message}`)}`);
};
(async () => {
  const client = new Client({ connectionString: url });
  await client.connect();
  await show('pg', (await client.query(ends)).rows, async (e) => (await client.query('SELECT ($1::timestamptz)::text AS e', [e])).rows);
  await client.end();
  const sql = postgres(url);
  await show('postgres.js', await sql.unsafe(ends), async (e) => sql`SELECT (${e}::timestamptz)::text AS e`);
  await sql.end();
})();
NODE
url=postgres://app@127.0.0.1:$port/postgres
{
    venv/bin/python run.py "$url"
    timeout 60 node run.cjs "$url"
} > seen

diff - seen <<'EXPECTED' && echo "unchanged" && cat seen
asyncpg
  zones of the two: UTC, None
  the latest: TypeError: can't compare offset-naive and offset-aware datetimes
  the latest of an array: TypeError: can't compare offset-naive and offset-aware datetimes
  a range's start before its end: TypeError: can't compare offset-naive and offset-aware datetimes
  the latest, with the zone added: 9999-12-31T23:59:59.999999+00:00
  written back: infinity
  written back with the zone: infinity
psycopg2
  the latest: 9999-12-31T23:59:59.999999+00:00
  written back: 10000-01-01 00:59:59.999999+01; endless: False
  read again: ValueError: year 10000 is out of range
pg
  given: Infinity; later than the first: true; in JSON: null
  written back: infinity
postgres.js
  given: Invalid Date; later than the first: false; in JSON: null
  written back: RangeError: Invalid time value
EXPECTED
