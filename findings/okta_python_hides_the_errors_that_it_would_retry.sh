#!/usr/bin/env bash
# PyPI okta 3.4.6, Okta's management SDK (Python 3.11, seen on 2026-11-28):
#
# Methods of the SDK answer `(data, response, error)`, as its README shows. Okta answers 503 with an error body, for instance E0000010 while an organisation is in
# read-only mode. The README says that the SDK retries after a 429. Expected: `error` names status and code of every other failed request.
#
# The setting `rateLimit.maxRetries` (2 unless set) decides whether the reason of a failure can be read at all:
#
# - A 503 or 504 without rate-limit headers raises AttributeError ('NoneType' object has no attribute 'status') out of the method. Neither status, code nor message
#   of the server is left, and nothing was asked again. A header `Retry-After` changes nothing.
# - With `maxRetries` 0 the same answer is `(None, response, error)`, and the error is "Okta HTTP 503 E0000010 …".
# - A 500 is never retried and comes through in both cases; a refused connection raises the AttributeError in both.
# - A 503 with rate-limit headers is asked again twice, at once: the SDK waits only after a 429. The error of the last try comes through.
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
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from okta.client import Client

logging.disable(logging.CRITICAL)
answer = None
asked = []

class Okta(BaseHTTPRequestHandler):
    def do_GET(self):
        asked.append(time.monotonic())
        status, headers, body = answer
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_): pass

def counted(seconds):
    return {"X-Rate-Limit-Limit": "600", "X-Rate-Limit-Remaining": "599", "X-Rate-Limit-Reset": str(int(time.time()) + seconds)}

async def ask(port, retries):
    asked.clear()
    client = Client({"orgUrl": f"http://127.0.0.1:{port}", "token": "invented", "rateLimit": {"maxRetries": retries}})
    try:
        _, response, error = await client.list_users()
        seen = f"response {'missing' if response is None else 'there'}, error: {str(error).strip()}"
    except Exception as error:
        seen = f"raised {type(error).__name__}: {error}"
    pauses = ["at once" if later - earlier < 1 else "after a pause" for earlier, later in zip(asked, asked[1:])]
    return f"{len(asked)} request(s){''.join(', ' + pause for pause in pauses)}; {seen}"

server = ThreadingHTTPServer(("127.0.0.1", 0), Okta)
threading.Thread(target=server.serve_forever, daemon=True).start()
closed = ThreadingHTTPServer(("127.0.0.1", 0), Okta)
closed.server_close()
reading = {"errorCode": "E0000010", "errorSummary": "Read-only mode", "errorLink": "E0000010", "errorId": "invented", "errorCauses": []}
broken = {**reading, "errorCode": "E0000009", "errorSummary": "Internal error"}
cases = {
    "503": (503, {}, reading),
    "503 with Retry-After": (503, {"Retry-After": "1"}, reading),
    "504": (504, {}, reading),
    "500": (500, {}, broken),
    "503 with rate-limit headers": (503, counted(30), reading),
}
for retries in 2, 0:
    print(f"maxRetries {retries}")
    for name, answer in cases.items():
        print(f"  {name}: {asyncio.run(ask(server.server_port, retries))}")
    print(f"  connection refused: {asyncio.run(ask(closed.server_port, retries))}")
PYTHON
OKTA_TESTING_TESTINGDISABLEHTTPSCHECK=true timeout 120 venv/bin/python run.py > seen

diff - seen <<'EXPECTED' && echo "unchanged" && cat seen
maxRetries 2
  503: 1 request(s); raised AttributeError: 'NoneType' object has no attribute 'status'
  503 with Retry-After: 1 request(s); raised AttributeError: 'NoneType' object has no attribute 'status'
  504: 1 request(s); raised AttributeError: 'NoneType' object has no attribute 'status'
  500: 1 request(s); response there, error: Okta HTTP 500 E0000009 Internal error
  503 with rate-limit headers: 3 request(s), at once, at once; response there, error: Okta HTTP 503 E0000010 Read-only mode
  connection refused: 0 request(s); raised AttributeError: 'NoneType' object has no attribute 'status'
maxRetries 0
  503: 1 request(s); response there, error: Okta HTTP 503 E0000010 Read-only mode
  503 with Retry-After: 1 request(s); response there, error: Okta HTTP 503 E0000010 Read-only mode
  504: 1 request(s); response there, error: Okta HTTP 504 E0000010 Read-only mode
  500: 1 request(s); response there, error: Okta HTTP 500 E0000009 Internal error
  503 with rate-limit headers: 1 request(s); response there, error: Okta HTTP 503 E0000010 Read-only mode
  connection refused: 0 request(s); raised AttributeError: 'NoneType' object has no attribute 'status'
EXPECTED
