#!/usr/bin/env bash
# npm @okta/okta-sdk-nodejs 8.1.0, which reads the header `Link` with parse-link-header 2.0.0 (Node 20, seen on 2026-11-28):
#
# Okta answers a list with a `Link` header that names the page itself (`rel="self"`) and the next one (`rel="next"`), each with the whole query. A search such as
# `id eq "…" or id eq "…"` asks for some people at once. Expected: the collection reads any list that the server answers.
#
# parse-link-header gives `null` for a header with more than 2,000 characters, as its own README says. The SDK reads `next` of it:
#
# - A search for 27 people fails with "Cannot read properties of null" after the server answered 200. The people on the first page are lost too. 26 are fine.
# - A list without any further page fails as well when its own address is long enough: one header with `rel="self"` alone, for 55 people.
# - The environment variable PARSE_LINK_HEADER_MAXLEN, which the SDK does not mention, mends both.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y > /dev/null
npm install --silent --no-audit --no-fund @okta/okta-sdk-nodejs@8.1.0 parse-link-header@2.0.0 2> /dev/null

cat > run.cjs <<'NODE'
const { createServer } = require('node:http');
const { Client } = require('@okta/okta-sdk-nodejs');
let pages;
let lengths;
const server = createServer((request, response) => {
  const url = new URL(request.url, 'http://127.0.0.1');
  const address = (after) => {
    const query = new URLSearchParams(url.searchParams);
    if (after) query.set('after', after);
    return `${url.pathname}?${query}`;
  };
  const page = Number(url.searchParams.get('after') ?? 1);
  const base = `http://127.0.0.1:${server.address().port}`;
  const links = [`<${base}${address()}>; rel="self"`];
  if (page < pages) links.push(`<${base}${address(page + 1)}>; rel="next"`);
  const link = links.join(', ');
  lengths.push(link.length);
  response.writeHead(200, { 'Content-Type': 'application/json', Link: link }).end(JSON.stringify([{ id: `person_${page}` }]));
});
server.listen(Number(process.argv[2]), '127.0.0.1', async () => {
  const client = new Client({ orgUrl: `http://127.0.0.1:${process.argv[2]}`, token: 'invented', testing: { disableHttpsCheck: true } });
  for (const [people, count] of [[26, 2], [27, 2], [54, 1], [55, 1]]) {
    [pages, lengths] = [count, []];
    const search = Array.from({ length: people }, (_, at) => `id eq "00u${String(at).padStart(17, '0')}"`).join(' or ');
    const seen = [];
    try {
      for await (const person of await client.userApi.listUsers({ search })) seen.push(person.id);
    } catch (error) {
      seen.push(error.message);
    }
    console.log(`${people} people searched, ${count} pages, Link of ${lengths.join(' and ')} characters: ${seen.join(', ')}`);
  }
  server.close();
  server.closeAllConnections();
});
NODE
{
    timeout 60 node --no-warnings run.cjs 54873
    echo "with PARSE_LINK_HEADER_MAXLEN=8000:"
    PARSE_LINK_HEADER_MAXLEN=8000 timeout 60 node --no-warnings run.cjs 54873
} > seen

diff - seen <<'EXPECTED' && echo "unchanged" && cat seen
26 people searched, 2 pages, Link of 1988 and 997 characters: person_1, person_2
27 people searched, 2 pages, Link of 2060 characters: Cannot read properties of null (reading 'next')
54 people searched, 1 pages, Link of 1997 characters: person_1
55 people searched, 1 pages, Link of 2033 characters: Cannot read properties of null (reading 'next')
with PARSE_LINK_HEADER_MAXLEN=8000:
26 people searched, 2 pages, Link of 1988 and 997 characters: person_1, person_2
27 people searched, 2 pages, Link of 2060 and 1033 characters: person_1, person_2
54 people searched, 1 pages, Link of 1997 characters: person_1
55 people searched, 1 pages, Link of 2033 characters: person_1
EXPECTED
