#!/usr/bin/env bash
# PyPI standardwebhooks 1.1.0 (Python 3.11, seen on 2026-11-27):
#
# `Webhook.sign` takes a datetime and replaces its time zone by UTC instead of converting it. A sender that signs
# `datetime.now(tz)` with an offset, and sends the same instant as `webhook-timestamp`, makes a signature that the same library refuses.
# Only times in UTC verify.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check standardwebhooks==1.1.0

"$folder/venv/bin/python" - > "$folder/seen" <<'PYTHON'
from datetime import datetime, timedelta, timezone
from standardwebhooks import Webhook

webhook = Webhook("whsec_c2l4dGVlbi1ieXRlLWtleS1zaXh0ZWVuLWJ5dGUta2V5")
body = '{"type":"user.deprovisioned"}'
instant = datetime.now(timezone.utc)

for name, time in [("UTC", instant), ("UTC+02:00", instant.astimezone(timezone(timedelta(hours=2))))]:
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(time.timestamp())),
        "webhook-signature": webhook.sign("msg_1", time, body),
    }
    try:
        webhook.verify(body, headers)
        print(f"{name}: verified")
    except Exception as error:
        print(f"{name}: {type(error).__name__}: {error}")
PYTHON

diff - "$folder/seen" <<'EXPECTED' && echo "unchanged" && cat "$folder/seen"
UTC: verified
UTC+02:00: WebhookVerificationError: No matching signature found
EXPECTED
