#!/usr/bin/env bash
# PyPI scim2-client 0.13.2 with scim2-models 0.12.3, httpx2 2.16.2 and email-validator 2.4.0 (Python 3.11, seen on 2026-11-27):
#
# RFC 7643 4.1.2 says that the value of an address SHOULD be written as RFC 5321 says, which is about its form. Expected: a client that reads a
# directory shows the addresses that are in it.
#
# The client refuses a whole answer if one address ends with `.local`, as many names of Active Directory do, or with `.test`, or has no dot in its domain, or
# has a quoted local part. A list of 100 people with one such address is not a list of 99: `query` raises ResponsePayloadValidationException, which does not
# name the person. The model checks addresses for the public mail of a website. `.internal`, which ICANN has reserved for the same
# purpose as people use `.local` for, is taken.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check scim2-client==0.13.2 scim2-models==0.12.3 httpx2==2.16.2 email-validator==2.4.0

"$folder/venv/bin/python" -W ignore::DeprecationWarning - > "$folder/seen" <<'PYTHON'
import httpx2
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_models import User

USER = "urn:ietf:params:scim:schemas:core:2.0:User"

def person(number, address):
    return {"schemas": [USER], "id": f"u-{number}", "userName": f"u-{number}", "emails": [{"value": address, "type": "work"}]}

def listed(address):
    people = [person(number, f"u-{number}@lumen.example") for number in range(99)] + [person(99, address)]
    answer = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"], "totalResults": len(people), "Resources": people}
    server = httpx2.MockTransport(lambda request: httpx2.Response(200, json=answer, headers={"content-type": "application/scim+json"}))
    client = SyncSCIMClient(httpx2.Client(transport=server, base_url="https://scim.example"), resource_models=[User])
    try:
        return f"{len(client.query(User).resources)} people"
    except Exception as error:
        return type(error).__name__

def reason(address):
    try:
        User.model_validate(person(1, address))
    except ValueError as error:
        return error.errors()[0]["ctx"]["reason"]
    return "taken"

for address in ["noor@lumen.example", "noor@lumen.internal", "noor@lumen.local", "noor@lumen.test", "noor@localhost", '"noor vale"@lumen.example']:
    print(f"{address}: {listed(address)}; {reason(address)}")
PYTHON

diff - "$folder/seen" <<'EXPECTED' && echo "unchanged" && cat "$folder/seen"
noor@lumen.example: 100 people; taken
noor@lumen.internal: 100 people; taken
noor@lumen.local: ResponsePayloadValidationException; The part after the @-sign is a special-use or reserved name that cannot be used with email.
noor@lumen.test: ResponsePayloadValidationException; The part after the @-sign is a special-use or reserved name that cannot be used with email.
noor@localhost: ResponsePayloadValidationException; The part after the @-sign is not valid. It should have a period.
"noor vale"@lumen.example: ResponsePayloadValidationException; Quoting the part before the @-sign is not allowed here.
EXPECTED
