"""Runs all checks of scim2-tester. Its own command counts skipped checks as failures; only errors count here."""

import sys
from collections import Counter

from httpx2 import Client
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import Status, check_server

base, token = sys.argv[1:3]
client = SyncSCIMClient(Client(base_url=base, headers={"Authorization": f"Bearer {token}"}))
client.discover()
results = check_server(client)
for status, number in sorted(Counter(result.status.name for result in results).items()):
    print(f"{status}: {number}")
errors = [result for result in results if result.status == Status.ERROR]
for error in errors:
    print(f"{error.title}: {error.reason}")
sys.exit(bool(errors))
