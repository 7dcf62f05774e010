"""Runs each sample against a real rosterd on both databases: check.py BINARY POSTGRES_URL SCRATCH NAME=COMMAND…"""

import base64
import hashlib
import hmac
import json
import os
import shlex
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

SECRET = "whsec_of_the_samples"
WEBHOOK_SECRET = "whsec_" + base64.b64encode(b"a secret of the webhooks out").decode()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def post(url: str, body: bytes, headers: dict) -> int:
    request = urllib.request.Request(url, body, headers | {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status
    except urllib.error.HTTPError as error:
        return error.code


def eventually(what: str, check):
    for _ in range(150):
        try:
            found = check()
        except (urllib.error.URLError, ConnectionError):
            found = None
        if found:
            return found
        time.sleep(0.2)
    sys.exit(f"{what}: not within 30 s")


class Service:
    """rosterd, with the events of one user."""

    def __init__(self, binary: str, url: str):
        port, admin = free_port(), free_port()
        self.base = f"http://127.0.0.1:{port}"
        self.environment = os.environ | {
            "DATABASE_URL": url,
            "WORKOS_WEBHOOK_SECRET": SECRET,
            "ROSTERD_LISTEN": f"127.0.0.1:{port}",
            "ROSTERD_ADMIN_LISTEN": f"127.0.0.1:{admin}",
            "ROSTERD_GUARD": "off",
            "RUST_LOG": "rosterd=error",
        }
        self.process = subprocess.Popen([binary, "serve"], env=self.environment, cwd=os.environ["TMPDIR"])
        eventually("the start", lambda: urllib.request.urlopen(self.base + "/readyz", timeout=5).status == 200)

    def send(self, number: int, kind: str, data: dict):
        at = f"2026-01-15T12:00:{number:02}.000Z"
        data = {"created_at": "2026-01-15T12:00:00.000Z", "updated_at": at, "organization_id": "org_1"} | data
        body = json.dumps({"id": f"event_{number}", "event": kind, "created_at": at, "data": data}).encode()
        millis = int(time.time() * 1000)
        digest = hmac.new(SECRET.encode(), f"{millis}.".encode() + body, hashlib.sha256).hexdigest()
        assert post(f"{self.base}/webhooks/workos", body, {"workos-signature": f"t={millis}, v1={digest}"}) == 200

    def user(self, number: int, kind: str):
        self.send(number, kind, {
            "object": "directory_user", "id": "user_1", "directory_id": "directory_1", "idp_id": "idp_1",
            "email": "Ada@acme.example", "first_name": "Ada", "last_name": "Byron", "state": "active",
            "custom_attributes": {}, "role": {"slug": "member"}, "roles": [{"slug": "member"}],
        })

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


def check_reads(sample, service: Service, url: str):
    def ask(*arguments):
        environment = os.environ | {"DATABASE_URL": url}
        ended = subprocess.run([*sample, "org_1", *arguments], env=environment, capture_output=True, text=True, timeout=60)
        if ended.returncode:
            sys.exit(f"{sample}: {arguments}: {ended.stderr}")
        return json.loads(ended.stdout)

    signed_in = ask("sign-in", "directory_1", "idp_1")
    assert signed_in["allowed"] is True and signed_in["user"] == "user_1", signed_in
    assert ask("sign-in", "directory_2", "idp_1") == {"allowed": False, "reason": "unknown"}
    epoch = str(signed_in["epoch"])
    assert ask("session", "user_1", epoch) is True
    assert ask("roles", "user_1") == ["member"]
    begun = ask("changes", "0")
    assert ["user.created", {"user_id": "user_1"}] in begun["records"], begun

    service.user(service.next, "dsync.user.deleted")
    eventually("the leaver", lambda: ask("session", "user_1", epoch) is False)
    refused = ask("sign-in", "directory_1", "idp_1")
    assert refused["allowed"] is False and refused["reason"] == "inactive", refused
    assert ask("roles", "user_1") == []
    kinds = [kind for kind, _ in ask("changes", str(begun["next"]))["records"]]
    assert kinds[:2] == ["user.deprovisioned", "role.revoked"], kinds

    service.user(service.next + 1, "dsync.user.created")
    eventually("the return", lambda: ask("sign-in", "directory_1", "idp_1")["allowed"])
    assert ask("session", "user_1", epoch) is False, "a session of before"
    service.next += 2


def check_receiver(sample):
    port = free_port()
    environment = os.environ | {"WEBHOOK_SECRET": WEBHOOK_SECRET}
    receiver = subprocess.Popen([*sample, "receive", str(port)], env=environment, stdout=subprocess.PIPE, text=True)
    try:
        subject = {"user_id": "user_1"}
        data = {"seq": 7, "kind": "user.deprovisioned", "subject": subject}
        body = json.dumps({"type": "user.deprovisioned", "timestamp": "2026-01-15T12:00:00Z", "data": data}).encode()

        def send(key: bytes, at: int):
            signed = hmac.new(key, f"msg_7.{at}.".encode() + body, hashlib.sha256).digest()
            headers = {"webhook-id": "msg_7", "webhook-timestamp": str(at)}
            return post(f"http://127.0.0.1:{port}/", body, headers | {"webhook-signature": "v1," + base64.b64encode(signed).decode()})

        now, key = int(time.time()), b"a secret of the webhooks out"
        assert eventually("the receiver", lambda: send(key, now)) == 204
        assert send(b"another secret", now) == 400, "a forged one was believed"
        assert send(key, now - 3600) == 400, "an old one was believed"
        assert json.loads(receiver.stdout.readline()) == ["user.deprovisioned", subject]
    finally:
        receiver.kill()


def main():
    binary, postgres, scratch, *samples = sys.argv[1:]
    samples = {name: shlex.split(command) for name, command in (sample.split("=", 1) for sample in samples)}
    for database in ("SQLite", "PostgreSQL"):
        url = f"sqlite://{scratch}/samples.db" if database == "SQLite" else postgres
        service = Service(binary, url)
        try:
            if database == "PostgreSQL":
                # The samples read as the application does: with a role that can do nothing else.
                psql = ["psql", "--quiet", "--dbname", postgres, "--command"]
                subprocess.run([*psql, "CREATE ROLE samples LOGIN"], check=True)
                subprocess.run([binary, "migrate", "--reader", "samples"], env=service.environment, check=True)
                # lib/pq of Go wants TLS otherwise.
                url = postgres.replace("//postgres@", "//samples@") + "?sslmode=disable"
            service.next = 1
            service.user(0, "dsync.user.created")
            for name, sample in samples.items():
                if name == "node" and database == "SQLite" and not has_sqlite(sample):
                    print("node on SQLite: NOT RUN, this Node has no node:sqlite (22.5 or newer)")
                    continue
                eventually("the user", lambda: sign_in_works(sample, url))
                check_reads(sample, service, url)
                print(f"{name} on {database}: ok")
        finally:
            service.stop()
    for name, sample in samples.items():
        check_receiver(sample)
        print(f"{name} as receiver of webhooks: ok")


def has_sqlite(sample) -> bool:
    return subprocess.run([sample[0], "-e", "require('node:sqlite')"], capture_output=True).returncode == 0


def sign_in_works(sample, url: str) -> bool:
    arguments = ["org_1", "sign-in", "directory_1", "idp_1"]
    ended = subprocess.run([*sample, *arguments], env=os.environ | {"DATABASE_URL": url}, capture_output=True, text=True)
    return ended.returncode == 0 and json.loads(ended.stdout)["allowed"]


main()
