#!/usr/bin/env bash
# npm http-message-signatures 1.0.6 and PyPI http-message-signatures 3.0.0 (Node 20, Python 3.11, seen on 2026-11-28):
#
# Both packages sign and verify requests after RFC 9421, for instance webhooks. A receiver limits the age of a signature (`maxAge`, `max_age`) and grants a tolerance
# for clocks that differ (`tolerance`, `max_clock_skew`). The type of npm's `tolerance` calls it a clock tolerance for created and expires. Expected: more
# tolerance never refuses a signature that less tolerance accepts.
#
# The receiver below takes signatures for 60 seconds. The requests are signed by npm's package, and both packages verify them:
#
# - Node subtracts the tolerance from the time of signing before it counts the age, so the limit becomes 60 seconds less the tolerance. With 30 seconds a
#   request is refused after 45 seconds that passes without any tolerance.
# - With a tolerance as large as the limit, a request must be signed in the same second or by a clock that is ahead. With 90 seconds none passes, not even one
#   that is signed now.
# - Each refusal reads "Signature is too old", also for a signature from a clock that is ahead.
# - Python adds the tolerance at both ends: 90 seconds accept what is up to 150 seconds old.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check http-message-signatures==3.0.0
npm init -y > /dev/null
npm install --silent --no-audit --no-fund http-message-signatures@1.0.6

cat > run.cjs <<'NODE'
const { writeFileSync } = require('node:fs');
const { createSigner, createVerifier, httpbis } = require('http-message-signatures');
const algorithm = 'hmac-sha256';
const secret = 'invented, and long enough for both';
(async () => {
  const requests = [];
  const byNode = [];
  for (const tolerance of [0, 30, 60, 90]) {
    for (const age of [-15, 0, 15, 45, 75, 165]) {
      // Half a second keeps all comparisons of whole seconds away from their edges for as long as one check takes.
      while (Date.now() % 1000 > 500) await new Promise((resolve) => setTimeout(resolve, 20));
      const created = new Date(Date.now() - age * 1000);
      const key = createSigner(secret, algorithm, 'sender');
      const fields = ['@method', '@target-uri'];
      const url = 'https://hooks.lumen.example/roster';
      const request = await httpbis.signMessage({ key, fields, params: ['created', 'keyid', 'alg'], paramValues: { created } }, { method: 'POST', url, headers: {} });
      const keyLookup = async () => ({ id: 'sender', algs: [algorithm], verify: createVerifier(secret, algorithm) });
      const seen = await httpbis.verifyMessage({ keyLookup, maxAge: 60, tolerance }, request).catch((error) => error.message);
      byNode.push(seen === true ? 'accepted' : seen);
      requests.push({ url, headers: request.headers, age, tolerance });
    }
  }
  writeFileSync('requests.json', JSON.stringify({ secret, requests, byNode }));
})();
NODE
cat > run.py <<'PYTHON'
import datetime
import json
import logging
from types import SimpleNamespace
from http_message_signatures import HTTPMessageVerifier, HTTPSignatureKeyResolver, InvalidSignature, algorithms

given = json.load(open("requests.json"))

class Keys(HTTPSignatureKeyResolver):
    def resolve_public_key(self, key_id): return given["secret"].encode()
    def resolve_private_key(self, key_id): return given["secret"].encode()

for request, by_node in zip(given["requests"], given["byNode"]):
    verifier = HTTPMessageVerifier(signature_algorithm=algorithms.HMAC_SHA256, key_resolver=Keys())
    verifier.max_clock_skew = datetime.timedelta(seconds=request["tolerance"])
    message = SimpleNamespace(method="POST", url=request["url"], headers=request["headers"])
    try:
        verifier.verify(message, max_age=datetime.timedelta(seconds=60))
        seen = "accepted"
    except InvalidSignature as error:
        seen = str(error)
    print(f"tolerance {request['tolerance']}, age {request['age']}: Node {by_node}; Python {seen}")
PYTHON
{ timeout 60 node run.cjs && venv/bin/python run.py; } > seen

diff - seen <<'EXPECTED' && echo "unchanged" && cat seen
tolerance 0, age -15: Node Signature is too old; Python Signature "created" parameter is set to a time in the future
tolerance 0, age 0: Node accepted; Python accepted
tolerance 0, age 15: Node accepted; Python accepted
tolerance 0, age 45: Node accepted; Python accepted
tolerance 0, age 75: Node Signature is too old; Python Signature age exceeds maximum allowable age 0:01:00
tolerance 0, age 165: Node Signature is too old; Python Signature age exceeds maximum allowable age 0:01:00
tolerance 30, age -15: Node accepted; Python accepted
tolerance 30, age 0: Node accepted; Python accepted
tolerance 30, age 15: Node accepted; Python accepted
tolerance 30, age 45: Node Signature is too old; Python accepted
tolerance 30, age 75: Node Signature is too old; Python accepted
tolerance 30, age 165: Node Signature is too old; Python Signature age exceeds maximum allowable age 0:01:00
tolerance 60, age -15: Node accepted; Python accepted
tolerance 60, age 0: Node accepted; Python accepted
tolerance 60, age 15: Node Signature is too old; Python accepted
tolerance 60, age 45: Node Signature is too old; Python accepted
tolerance 60, age 75: Node Signature is too old; Python accepted
tolerance 60, age 165: Node Signature is too old; Python Signature age exceeds maximum allowable age 0:01:00
tolerance 90, age -15: Node Signature is too old; Python accepted
tolerance 90, age 0: Node Signature is too old; Python accepted
tolerance 90, age 15: Node Signature is too old; Python accepted
tolerance 90, age 45: Node Signature is too old; Python accepted
tolerance 90, age 75: Node Signature is too old; Python accepted
tolerance 90, age 165: Node Signature is too old; Python Signature age exceeds maximum allowable age 0:01:00
EXPECTED
