#!/usr/bin/env bash
# PyPI msgraph-core 1.5.2, workos 10.8.0 and npm @microsoft/microsoft-graph-client 3.0.7, @workos-inc/node 11.0.0, @okta/okta-sdk-nodejs 8.1.0
# (Python 3.11, Node 20, seen on 2026-11-28):
#
# A page of a directory's list can be empty although more pages follow: Graph sends such pages for delta queries (issue 129 of msgraph-sdk-javascript, of 2018,
# shows one; the helper for JavaScript was mended for it). Expected: a helper that promises all items goes on while the server names a next page.
#
# The official helpers read pages from a server on loopback, for instance one person, nobody, one person:
#
# - Both helpers for Python stop at the empty page without an error: Graph's `PageIterator` and WorkOS's `auto_paging_iter`. The people after it are missing,
#   as if they had left; with an empty first page everybody is missing. Both vendors' helpers for Node go on.
# - Okta's `for await` yields a `null` for the empty page, and `each` of the same collection stops there.
set -euo pipefail
folder=$(mktemp -d)
server=
stop() {
    if [[ -n $server ]]; then kill "$server" 2> /dev/null || true; fi
    rm -rf "$folder"
}
trap stop EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check msgraph-core==1.5.2 microsoft-kiota-http==1.16.0 microsoft-kiota-serialization-json==1.16.0 workos==10.8.0
npm init -y > /dev/null
npm install --silent --no-audit --no-fund @microsoft/microsoft-graph-client@3.0.7 @workos-inc/node@11.0.0 @okta/okta-sdk-nodejs@8.1.0 2> /dev/null

cat > server.mjs <<'NODE'
import { createServer } from 'node:http';
import { writeFileSync } from 'node:fs';
// The first part of the path, or the directory's name, says how many people each page has.
const server = createServer((request, response) => {
  const base = `http://127.0.0.1:${server.address().port}`;
  const url = new URL(request.url, base);
  const sizes = [...(url.searchParams.get('directory') ?? url.pathname.split('/')[1])].map(Number);
  const page = Number(url.searchParams.get('after') ?? 0);
  const person = {
    id: `person_${page + 1}`, object: 'directory_user', directory_id: 'directory_1', organization_id: null, idp_id: 'idp_1', email: null, state: 'active',
    custom_attributes: {}, emails: [], groups: [], created_at: '2026-11-28T00:00:00.000Z', updated_at: '2026-11-28T00:00:00.000Z',
  };
  const people = Array.from({ length: sizes[page] }, () => person);
  const after = page + 1 < sizes.length ? String(page + 1) : null;
  const next = after && `${base}${url.pathname}?after=${after}`;
  const headers = { 'Content-Type': 'application/json' };
  let body = { data: people, list_metadata: { before: null, after } };
  if (url.pathname.includes('/graph')) body = { value: people, ...(next && { '@odata.nextLink': next }) };
  if (url.pathname.includes('/api/v1/')) {
    body = people;
    if (next) headers.Link = `<${next}>; rel="next"`;
  }
  response.writeHead(200, headers).end(JSON.stringify(body));
});
server.listen(0, '127.0.0.1', () => writeFileSync('port', String(server.address().port)));
NODE
cat > run.py <<'PYTHON'
import asyncio
import sys
from kiota_abstractions.authentication import AnonymousAuthenticationProvider
from kiota_abstractions.method import Method
from kiota_abstractions.request_information import RequestInformation
from kiota_abstractions.serialization import ParseNodeFactoryRegistry
from kiota_http.httpx_request_adapter import HttpxRequestAdapter
from kiota_serialization_json.json_parse_node_factory import JsonParseNodeFactory
from msgraph_core.models import PageResult
from msgraph_core.tasks.page_iterator import PageIterator
from workos import WorkOSClient

class Person:
    @staticmethod
    def create_from_discriminator_value(node): return Person()
    def __init__(self): self.id = None
    def get_field_deserializers(self): return {"id": lambda node: setattr(self, "id", node.get_str_value())}
    def serialize(self, writer): writer.write_str_value("id", self.id)

class Page(PageResult):
    @staticmethod
    def create_from_discriminator_value(node): return Page()
    def get_field_deserializers(self):
        return {"@odata.nextLink": lambda node: setattr(self, "odata_next_link", node.get_str_value()),
                "value": lambda node: setattr(self, "value", node.get_collection_of_object_values(Person))}

async def by_graph(url):
    ParseNodeFactoryRegistry().CONTENT_TYPE_ASSOCIATED_FACTORIES["application/json"] = JsonParseNodeFactory()
    adapter = HttpxRequestAdapter(AnonymousAuthenticationProvider())
    request = RequestInformation()
    request.http_method, request.url = Method.GET, url
    first = await adapter.send_async(request, Page, {})
    seen = []
    await PageIterator(first, adapter).iterate(lambda person: seen.append(person.id) or True)
    return seen

base, sizes = sys.argv[1:]
print("  Graph, Python, PageIterator:", asyncio.run(by_graph(f"{base}/{sizes}/graph")))
client = WorkOSClient(api_key="sk_test_invented", client_id="client_invented", base_url=base)
print("  WorkOS, Python, auto_paging_iter:", [person.id for person in client.directory_sync.list_users(directory=sizes).auto_paging_iter()])
PYTHON
cat > run.cjs <<'NODE'
const { Client, PageIterator } = require('@microsoft/microsoft-graph-client');
const { Client: Okta } = require('@okta/okta-sdk-nodejs');
const { WorkOS } = require('@workos-inc/node');
const [base, sizes] = process.argv.slice(2);
const graphBase = 'https://graph.microsoft.com';
// The client follows links with https only, so they name the real host, and this middleware asks the server on loopback instead.
const middleware = {
  async execute(context) {
    const answer = await fetch(context.request.replace(graphBase, base));
    context.response = new Response((await answer.text()).replaceAll(base, graphBase), { headers: answer.headers });
  },
};
const show = (name, seen) => console.log(`  ${name}: ${JSON.stringify(seen).replaceAll('"', "'").replaceAll(',', ', ')}`);
(async () => {
  const graph = Client.initWithMiddleware({ middleware });
  const byGraph = [];
  const first = await graph.api(`${graphBase}/${sizes}/graph`).get();
  await new PageIterator(graph, first, (person) => byGraph.push(person.id) > 0).iterate();
  show('Graph, Node, PageIterator', byGraph);
  const workos = new WorkOS('sk_test_invented', { apiHostname: '127.0.0.1', port: Number(new URL(base).port), https: false });
  const listed = await workos.directorySync.listUsers({ directory: sizes });
  show('WorkOS, Node, autoPagination', (await listed.autoPagination()).map((person) => person.id));
  const okta = new Okta({ orgUrl: `${base}/${sizes}`, token: 'invented', testing: { disableHttpsCheck: true } });
  const byOkta = [];
  for await (const person of await okta.userApi.listUsers()) byOkta.push(person && person.id);
  show('Okta, Node, for await', byOkta);
  const byEach = [];
  await (await okta.userApi.listUsers()).each((person) => { byEach.push(person.id); });
  show('Okta, Node, each', byEach);
})();
NODE
node server.mjs &
server=$!
for _ in {1..100}; do if [[ -s port ]]; then break; fi; sleep 0.1; done
base=http://127.0.0.1:$(cat port)
for sizes in 111 101 01; do
    echo "people on the pages: $sizes"
    venv/bin/python run.py "$base" "$sizes"
    timeout 60 node --no-warnings run.cjs "$base" "$sizes"
done > seen

diff - seen <<'EXPECTED' && echo "unchanged" && cat seen
people on the pages: 111
  Graph, Python, PageIterator: ['person_1', 'person_2', 'person_3']
  WorkOS, Python, auto_paging_iter: ['person_1', 'person_2', 'person_3']
  Graph, Node, PageIterator: ['person_1', 'person_2', 'person_3']
  WorkOS, Node, autoPagination: ['person_1', 'person_2', 'person_3']
  Okta, Node, for await: ['person_1', 'person_2', 'person_3']
  Okta, Node, each: ['person_1', 'person_2', 'person_3']
people on the pages: 101
  Graph, Python, PageIterator: ['person_1']
  WorkOS, Python, auto_paging_iter: ['person_1']
  Graph, Node, PageIterator: ['person_1', 'person_3']
  WorkOS, Node, autoPagination: ['person_1', 'person_3']
  Okta, Node, for await: ['person_1', null, 'person_3']
  Okta, Node, each: ['person_1']
people on the pages: 01
  Graph, Python, PageIterator: []
  WorkOS, Python, auto_paging_iter: []
  Graph, Node, PageIterator: ['person_2']
  WorkOS, Node, autoPagination: ['person_2']
  Okta, Node, for await: [null, 'person_2']
  Okta, Node, each: []
EXPECTED
