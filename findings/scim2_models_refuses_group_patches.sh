#!/usr/bin/env bash
# PyPI scim2-models 0.12.3 (Python 3.11, seen on 2026-11-27) and the group PATCH requests that identity providers document:
#
# - Entra's default removal of a member, `Remove` of `members` with a list of values, is refused: "a remove operation carries no value".
#   RFC 7644 3.5.2.2 says nothing about a value there, and Microsoft documents this request. A server that lets the library
#   apply patches keeps the person in the group.
# - Okta's rename, a replace without a path whose value repeats the group's id, is refused: "'id' is read-only". RFC 7644 3.5.2 asks
#   for that error, and Okta documents the request.
# - A member that is added again with its `display` name, as Okta sends it, is in the group twice. Values of members are compared
#   with all their sub-attributes and not by `value`. One removal by `members[value eq …]` takes both away.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check scim2-models==0.12.3

"$folder/venv/bin/python" - > "$folder/seen" <<'PYTHON'
from scim2_models import Group, PatchOp

def group():
    return Group.model_validate({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
        "displayName": "Harbour crew",
        "members": [{"value": "u-1"}, {"value": "u-2"}],
    })

def patch(name, operation):
    target = group()
    try:
        request = PatchOp[Group].model_validate({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [operation],
        })
        request.patch(target)
        print(f"{name}: members {[member.value for member in target.members]}")
    except Exception as error:
        print(f"{name}: {type(error).__name__}: {error}")

patch("Entra removes u-2", {"op": "Remove", "path": "members", "value": [{"value": "u-2"}]})
patch("Okta renames", {"op": "replace", "value": {"id": "g-4", "displayName": "Quay crew"}})
patch("Okta adds u-2 again", {"op": "add", "path": "members", "value": [{"value": "u-2", "display": "Noor Vale"}]})
PYTHON

diff - "$folder/seen" <<'EXPECTED' && echo "unchanged" && cat "$folder/seen"
Entra removes u-2: InvalidValueException: a remove operation carries no value, a filter in the path selects what to remove
Okta renames: MutabilityException: 'id' is read-only
Okta adds u-2 again: members ['u-1', 'u-2', 'u-2']
EXPECTED
