"""Reads the board with Grafana's own SDK and writes it again: what Grafana's schema does not know is lost on the way."""

import json
import sys

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard


def lost(before, after, path):
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            if key in after:
                yield from lost(value, after[key], f"{path}/{key}")
            else:
                yield f"{path}/{key}"
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (one, other) in enumerate(zip(before, after)):
            yield from lost(one, other, f"{path}/{number}")
    elif before != after:
        yield path


with open(sys.argv[1], encoding="utf-8") as file:
    board = json.load(file)
register_default_plugins()
read = json.loads(JSONEncoder().encode(Dashboard.from_json(board)))
faults = list(lost(board, read, ""))
for fault in faults:
    print(f"Grafana's schema has no {fault}")
sys.exit(bool(faults))
