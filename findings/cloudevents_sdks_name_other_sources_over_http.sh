#!/usr/bin/env bash
# npm cloudevents 10.0.0 and PyPI cloudevents 2.2.0 (Node 20, Python 3.11, seen on 2026-11-28):
#
# In the binary mode of CloudEvents over HTTP the attributes of an event travel as headers `ce-…`. The HTTP binding (1.0.2, section 3.1.3.2) says that a blank, a
# quotation mark, `%` and everything outside of ASCII must be percent-encoded there, and that a receiver decodes once. In the structured mode they are JSON.
# Expected: both official SDKs read what the other one sent, and the mode does not change an event.
#
# The SDK for Node neither encodes nor decodes headers, the one for Python does both since its version 2 (1.13.0, tested too, as little as Node's):
#
# - From Node to Python an address in `source` or `subject` loses its own percent-encoding: the person `a%2Fb` becomes `a/b`, another path. Since `source` and `id`
#   together say which event it is, the same event sent once in each mode counts as two.
# - From Python to Node a group "Sales West" arrives as "Sales%20West", and an address with `%2F` has `%252F`.
# - An update from Python 1 to 2 at one end alone brings both about between two programs in Python.
# - In the structured mode all of them agree. No step raises an error. The same gap in the SDKs for Go and Java is an open question to the standard (cloudevents/spec,
#   issue 1397 of September 2026).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv one
one/bin/pip install -q --disable-pip-version-check cloudevents==1.13.0
python3 -m venv two
two/bin/pip install -q --disable-pip-version-check cloudevents==2.2.0
npm init -y > /dev/null
npm install --silent --no-audit --no-fund cloudevents@10.0.0

cat > event.json <<'JSON'
{"specversion": "1.0", "id": "evt_1", "type": "member.removed", "source": "https://directory.example/Users/a%2Fb", "subject": "groups/Sales West"}
JSON
cat > node.mjs <<'NODE'
import { readFileSync, writeFileSync } from 'node:fs';
import { CloudEvent, HTTP } from 'cloudevents';

const [, , action, mode, file] = process.argv;
if (action === 'send') {
  const { headers, body } = HTTP[mode](new CloudEvent({ ...JSON.parse(readFileSync('event.json')), data: { user: 'u1' } }));
  writeFileSync(file, JSON.stringify({ headers: JSON.parse(JSON.stringify(headers)), body }));
} else {
  const { source, subject } = HTTP.toEvent(JSON.parse(readFileSync(file)));
  console.log(`${source} | ${subject}`);
}
NODE
cat > one.py <<'PYTHON'
import json
import sys
from cloudevents.http import CloudEvent, from_http, to_binary, to_structured

action, mode, file = sys.argv[1:]
if action == "send":
    headers, body = {"binary": to_binary, "structured": to_structured}[mode](CloudEvent(json.load(open("event.json")), {"user": "u1"}))
    json.dump({"headers": headers, "body": body.decode()}, open(file, "w"))
else:
    message = json.load(open(file))
    event = from_http(message["headers"], message["body"])
    print(event["source"], "|", event["subject"])
PYTHON
cat > two.py <<'PYTHON'
import json
import sys
from cloudevents.core.bindings import http
from cloudevents.core.v1.event import CloudEvent

action, mode, file = sys.argv[1:]
if action == "send":
    event = CloudEvent(json.load(open("event.json")) | {"datacontenttype": "application/json"}, {"user": "u1"})
    message = {"binary": http.to_binary_event, "structured": http.to_structured_event}[mode](event)
    json.dump({"headers": message.headers, "body": message.body.decode()}, open(file, "w"))
else:
    message = json.load(open(file))
    event = http.from_http_event(http.HTTPMessage(message["headers"], message["body"].encode()))
    print(event.get_source(), "|", event.get_subject())
PYTHON

run() {
  case $1 in
    Node) node node.mjs "${@:2}" ;;
    "Python 1") one/bin/python -W ignore one.py "${@:2}" ;;
    "Python 2") two/bin/python two.py "${@:2}" ;;
  esac
}
for mode in binary structured; do
  for sender in Node "Python 1" "Python 2"; do
    run "$sender" send "$mode" message.json
    for receiver in Node "Python 1" "Python 2"; do
      echo "$mode, $sender to $receiver: $(run "$receiver" receive "$mode" message.json)"
    done
  done
done > seen

diff - seen <<'EXPECTED' && echo "unchanged" && cat seen
binary, Node to Node: https://directory.example/Users/a%2Fb | groups/Sales West
binary, Node to Python 1: https://directory.example/Users/a%2Fb | groups/Sales West
binary, Node to Python 2: https://directory.example/Users/a/b | groups/Sales West
binary, Python 1 to Node: https://directory.example/Users/a%2Fb | groups/Sales West
binary, Python 1 to Python 1: https://directory.example/Users/a%2Fb | groups/Sales West
binary, Python 1 to Python 2: https://directory.example/Users/a/b | groups/Sales West
binary, Python 2 to Node: https://directory.example/Users/a%252Fb | groups/Sales%20West
binary, Python 2 to Python 1: https://directory.example/Users/a%252Fb | groups/Sales%20West
binary, Python 2 to Python 2: https://directory.example/Users/a%2Fb | groups/Sales West
structured, Node to Node: https://directory.example/Users/a%2Fb | groups/Sales West
structured, Node to Python 1: https://directory.example/Users/a%2Fb | groups/Sales West
structured, Node to Python 2: https://directory.example/Users/a%2Fb | groups/Sales West
structured, Python 1 to Node: https://directory.example/Users/a%2Fb | groups/Sales West
structured, Python 1 to Python 1: https://directory.example/Users/a%2Fb | groups/Sales West
structured, Python 1 to Python 2: https://directory.example/Users/a%2Fb | groups/Sales West
structured, Python 2 to Node: https://directory.example/Users/a%2Fb | groups/Sales West
structured, Python 2 to Python 1: https://directory.example/Users/a%2Fb | groups/Sales West
structured, Python 2 to Python 2: https://directory.example/Users/a%2Fb | groups/Sales West
EXPECTED
