#!/usr/bin/env bash
# npm workos 0.14.0 (the official command-line tool), @workos-inc/node 11.0.0 and PyPI workos 10.8.0 (Node 20, Python 3.11, seen on 2026-11-28):
#
# The package `workos` exports an emulator (`workos/emulate`) that delivers signed webhooks, for tests without the network; its section of the README is a
# comment, "hidden until beta testing is complete". The official SDKs verify the header `WorkOS-Signature`. Expected: they accept the emulator's deliveries, since
# all three come from one vendor.
#
# No delivery passes with any SDK:
#
# - The emulator writes `t` in seconds, the SDKs read milliseconds. The delivery seems to come from January 1970: "Timestamp outside the tolerance zone".
# - The emulator writes `t=…,v1=…` without the blank that WorkOS sends. The SDK for Python does not find the two parts then; the one for Node does.
# - Milliseconds alone are enough for Node, not for Python. With milliseconds and the blank, both SDKs accept the same body and secret.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check workos==10.8.0
npm init -y > /dev/null
npm install --silent --no-audit --no-fund --omit=optional workos@0.14.0 @workos-inc/node@11.0.0 2> /dev/null

cat > receive.mjs <<'NODE'
import { createHmac } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { WorkOS } from '@workos-inc/node';
import { createEmulator } from 'workos/emulate';

let delivered;
const delivery = new Promise((resolve) => { delivered = resolve; });
const receiver = createServer(async (request, response) => {
  let body = '';
  for await (const part of request) body += part;
  response.end();
  delivered({ body, header: request.headers['workos-signature'] });
});
await new Promise((resolve) => receiver.listen(0, '127.0.0.1', resolve));
const emulator = await createEmulator({ port: 0 });
const post = async (path, body) => {
  const headers = { Authorization: `Bearer ${emulator.apiKey}`, 'Content-Type': 'application/json' };
  return (await fetch(emulator.url + path, { method: 'POST', headers, body: JSON.stringify(body) })).json();
};
const { secret } = await post('/webhook_endpoints', { endpoint_url: `http://127.0.0.1:${receiver.address().port}/`, events: [] });
await post('/organizations', { name: 'Lumen' });
const { body, header } = await delivery;
await emulator.close();
receiver.close();

const sign = (time, blank) => `t=${time},${blank}v1=${createHmac('sha256', secret).update(`${time}.${body}`).digest('hex')}`;
const seconds = Number(header.match(/^t=(\d+),/)[1]);
const headers = {
  'as the emulator sent it': header,
  'signed here in the same form': sign(seconds, ''),
  'with a blank': sign(seconds, ' '),
  'with milliseconds': sign(seconds * 1000, ''),
  'with both': sign(seconds * 1000, ' '),
};
console.log(`form: ${header.replace(/\d{10}(?=,)/, 'TEN_DIGITS').replace(/[0-9a-f]{64}/, 'HEX')}; event: ${JSON.parse(body).event}`);
console.log(`signed here in the same form: ${headers['signed here in the same form'] === header ? 'the same header' : 'another header'}`);
writeFileSync('delivery.json', JSON.stringify({ body, secret, headers }));
const { webhooks } = new WorkOS('sk_test_invented');
for (const [name, sigHeader] of Object.entries(headers)) {
  const seen = await webhooks.constructEvent({ payload: body, sigHeader, secret }).then((event) => `accepted ${event.event}`, (error) => error.message);
  console.log(`${name}, Node: ${seen}`);
}
NODE
cat > verify.py <<'PYTHON'
import json
from workos import WorkOSClient

delivery = json.load(open("delivery.json"))
webhooks = WorkOSClient(api_key="sk_test_invented", client_id="client_invented").webhooks
for name, header in delivery["headers"].items():
    try:
        webhooks.verify_header(event_body=delivery["body"].encode(), event_signature=header, secret=delivery["secret"])
        seen = "accepted"
    except ValueError as error:
        seen = error.args[0]
    print(f"{name}, Python: {seen}")
PYTHON
{ timeout 60 node --no-warnings receive.mjs && venv/bin/python verify.py; } > seen

diff - seen <<'EXPECTED' && echo "unchanged" && cat seen
form: t=TEN_DIGITS,v1=HEX; event: organization.created
signed here in the same form: the same header
as the emulator sent it, Node: Timestamp outside the tolerance zone
signed here in the same form, Node: Timestamp outside the tolerance zone
with a blank, Node: Timestamp outside the tolerance zone
with milliseconds, Node: accepted organization.created
with both, Node: accepted organization.created
as the emulator sent it, Python: Unable to extract timestamp and signature hash from header
signed here in the same form, Python: Unable to extract timestamp and signature hash from header
with a blank, Python: Timestamp outside the tolerance zone
with milliseconds, Python: Unable to extract timestamp and signature hash from header
with both, Python: accepted
EXPECTED
