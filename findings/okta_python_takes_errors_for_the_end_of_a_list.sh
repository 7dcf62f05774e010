#!/usr/bin/env bash
# PyPI okta 3.4.6, Okta's management SDK (Python 3.11, seen on 2026-11-28):
#
# Since version 3 an answer of the SDK has no `next` any more. The helper `paginate_all` of `okta.pagination` reads all pages instead; it takes a method such as
# `list_users` (the methods in its own example are gone, issue 540). Each page names the next one in a header `Link`. Expected: the helper yields everybody, or says
# that it could not.
#
# The organisation below has three people, one on each page:
#
# - An error ends the list without a word, and the caller cannot tell. If the second page is answered with 500, one person is there; if the token is wrong (401),
#   nobody, like in an organisation without people. A program that removes who is missing would remove them all. `list_users` itself does return the errors.
# - The helper reads `Link` by splitting it at commas. A next page whose address has a comma in its query (`fields=id,profile`) is not seen: one person again.
#   `rel=next` without quotation marks and `rel="next last"`, both as in RFC 8288, are not seen either.
# - Of several `Link` lines the SDK keeps the last one. Next page before `self`: one person. The other order, or one line for both: everybody.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check okta==3.4.6 pydantic==2.14.0 aiohttp==3.14.5

cat > run.py <<'PYTHON'
import asyncio
import json
import logging
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit
from okta.client import Client
from okta.pagination import paginate_all

logging.disable(logging.CRITICAL)
failing = {}
query = ""
rel = 'rel="next"'
lines = lambda this, following: [this, following]

class Okta(BaseHTTPRequestHandler):
    def do_GET(self):
        page = int(parse_qs(urlsplit(self.path).query).get("after", ["1"])[0])
        status = failing.get(page, 200)
        login = f"person{page}@lumen.example"
        person = {"id": f"person_{page}", "status": "ACTIVE", "profile": {"firstName": "Noor", "lastName": "Vale", "login": login, "email": login}}
        error = {"errorCode": "E0000011" if status == 401 else "E0000009", "errorSummary": "No", "errorLink": "", "errorId": "invented", "errorCauses": []}
        body = json.dumps([person] if status == 200 else error).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        address = f"http://127.0.0.1:{self.server.server_port}/api/v1/users?limit=1{query}"
        this = f'<{address}&after={page}>; rel="self"'
        for line in lines(this, f"<{address}&after={page + 1}>; {rel}") if page < 3 else [this]:
            self.send_header("Link", line)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_): pass

server = ThreadingHTTPServer(("127.0.0.1", 0), Okta)
threading.Thread(target=server.serve_forever, daemon=True).start()

async def read(name):
    client = Client({"orgUrl": f"http://127.0.0.1:{server.server_port}", "token": "invented"})
    people = [person.id async for person in paginate_all(client.list_users, limit=1)]
    print(f"{name}: {', '.join(people) or 'nobody'}")

async def read_once(name):
    client = Client({"orgUrl": f"http://127.0.0.1:{server.server_port}", "token": "invented"})
    _, _, error = await client.list_users(limit=1)
    print(f"  {name}: {str(error).strip()}")

asyncio.run(read("self, then next"))
failing = {2: 500}
asyncio.run(read("500 for the second page"))
failing = {1: 401}
asyncio.run(read("401 for the first page"))
asyncio.run(read_once("list_users alone"))
failing = {}
query = "&fields=id,profile"
asyncio.run(read("a comma in the query"))
query = "&fields=id%2Cprofile"
asyncio.run(read("the comma as %2C"))
query = ""
rel = "rel=next"
asyncio.run(read(rel))
rel = 'rel="next last"'
asyncio.run(read(rel))
rel = 'rel="next"'
lines = lambda this, following: [following, this]
asyncio.run(read("next, then self"))
lines = lambda this, following: [f"{following}, {this}"]
asyncio.run(read("next and self in one line"))
PYTHON
OKTA_TESTING_TESTINGDISABLEHTTPSCHECK=true timeout 120 venv/bin/python run.py > seen

diff - seen <<'EXPECTED' && echo "unchanged" && cat seen
self, then next: person_1, person_2, person_3
500 for the second page: person_1
401 for the first page: nobody
  list_users alone: Okta HTTP 401 E0000011 No
a comma in the query: person_1
the comma as %2C: person_1, person_2, person_3
rel=next: person_1
rel="next last": person_1
next, then self: person_1
next and self in one line: person_1, person_2, person_3
EXPECTED
