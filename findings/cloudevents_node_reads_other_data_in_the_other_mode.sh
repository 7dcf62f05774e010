#!/usr/bin/env bash
# npm cloudevents 10.0.0 and PyPI cloudevents 2.2.0 (Node 20, Python 3.11, seen on 2026-11-28):
#
# The data of a CloudEvent may be any JSON value (JSON format 1.0.2, section 3.1), and a media type that ends in `+json` is JSON too. In the structured mode the data
# is a member of the event, in the binary mode it is the body. Expected: a receiver finds the same data in both modes.
#
# Below are events about a person, sent once in each mode, as they stand in the HTTP binding:
#
# - Node: with `application/scim+json`, SCIM's own media type, the data is an object in the structured mode and a text in the binary mode. `event.data.active` is
#   undefined there, so a person switched on or off looks like one about whom nothing is said.
# - Node: data that is only `false` or `0` is gone in the structured mode (`data` is undefined, like in an event without data). In the binary mode
#   it is a text, and the text "false" is true in a condition.
# - Python reads the same data in both modes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check cloudevents==2.2.0
npm init -y > /dev/null
npm install --silent --no-audit --no-fund cloudevents@10.0.0

cat > messages.py <<'PYTHON'
import json
import sys

messages = []
for media_type, data in [
    ("application/json", {"active": False}),
    ("application/scim+json", {"active": False}),
    ("application/json", True),
    ("application/json", False),
    ("application/json", 0),
]:
    name = f"{media_type} {json.dumps(data)}"
    attributes = {"specversion": "1.0", "id": "evt_1", "source": "https://directory.example/", "type": "person.active"}
    headers = {f"ce-{key}": value for key, value in attributes.items()} | {"content-type": media_type}
    messages.append({"name": f"{name}, binary", "headers": headers, "body": json.dumps(data)})
    event = attributes | {"datacontenttype": media_type, "data": data}
    messages.append({"name": f"{name}, structured", "headers": {"content-type": "application/cloudevents+json"}, "body": json.dumps(event)})
json.dump(messages, sys.stdout)
PYTHON
cat > node.mjs <<'NODE'
import { readFileSync } from 'node:fs';
import { HTTP } from 'cloudevents';

for (const { name, headers, body } of JSON.parse(readFileSync('messages.json'))) {
  const { data } = HTTP.toEvent({ headers, body });
  console.log(`Node, ${name}: ${typeof data} ${JSON.stringify(data)}`);
}
NODE
cat > python.py <<'PYTHON'
import json
from cloudevents.core.bindings.http import HTTPMessage, from_http_event

for message in json.load(open("messages.json")):
    data = from_http_event(HTTPMessage(message["headers"], message["body"].encode())).get_data()
    print(f"Python, {message['name']}: {type(data).__name__} {data}")
PYTHON
venv/bin/python messages.py > messages.json
{ node node.mjs && venv/bin/python python.py; } > seen

diff - seen <<'EXPECTED' && echo "unchanged" && cat seen
Node, application/json {"active": false}, binary: object {"active":false}
Node, application/json {"active": false}, structured: object {"active":false}
Node, application/scim+json {"active": false}, binary: string "{\"active\": false}"
Node, application/scim+json {"active": false}, structured: object {"active":false}
Node, application/json true, binary: string "true"
Node, application/json true, structured: boolean true
Node, application/json false, binary: string "false"
Node, application/json false, structured: undefined undefined
Node, application/json 0, binary: string "0"
Node, application/json 0, structured: undefined undefined
Python, application/json {"active": false}, binary: dict {'active': False}
Python, application/json {"active": false}, structured: dict {'active': False}
Python, application/scim+json {"active": false}, binary: dict {'active': False}
Python, application/scim+json {"active": false}, structured: dict {'active': False}
Python, application/json true, binary: bool True
Python, application/json true, structured: bool True
Python, application/json false, binary: bool False
Python, application/json false, structured: bool False
Python, application/json 0, binary: int 0
Python, application/json 0, structured: int 0
EXPECTED
