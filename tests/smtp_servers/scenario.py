"""rosterd sends its mails to one server: a customer with names of many scripts, from the first connection to a deleted directory."""

import hashlib
import hmac
import itertools
import json
import os
import smtplib
import subprocess
import time
import urllib.error
import urllib.request
from email import message_from_bytes, policy

TENANT, OTHER = "org_01SMTPACME", "org_01SMTPOTHER"
NAMES = ["Zoë Ångström", "Łukasz Żółć", "山田 太郎", "עדה לאבלייס", "Ωμέγα Παπαδοπούλου", "Øyvind 😀 Sørensen", "=?utf-8?Q?Eve?= O'Neil"]
TO = ["it@customer.example", "refused@customer.example", "jörg@customer.example", "admin@bücher.example"]
SETTINGS = """
[directories]
deleted = "deprovision"
[mail]
from = '"Müller & Söhne, Zugänge" <rosterd@portal.example>'
product = "Straßenportal – 東京"
support = "help@portal.example"
reply_to = "Hilfe für Kunden <help@portal.example>"
window_seconds = 1
max_named = 3
most_per_hour = 0
first_sync_hours = 0
[mail.recipients]
{tenant} = {to}
"""
RULES = """
[roles.admin]
privileged = true
[roles.owner]
privileged = true
protected = true
[roles.member]
[[rules]]
name = "owners"
grants = ["owner"]
when.role = ["owner"]
[[rules]]
name = "administrators"
grants = ["admin"]
when.role = ["admin"]
"""
EVERYBODY = '[roles.staff]\n[[rules]]\nname = "staff"\ngrants = ["staff"]\nwhen.role = ["member"]\n'


class Play:
    def __init__(self, binary, server, ports):
        self.binary, self.server, self.ports = binary, server, ports
        self.home = server.home / "rosterd"
        self.home.mkdir()
        self.numbers = itertools.count(1)
        self.environment = {
            "PATH": os.environ["PATH"], "DATABASE_URL": f"sqlite://{self.home}/rosterd.db", "WORKOS_WEBHOOK_SECRET": "whsec_smtp",
            "SMTP_URL": server.url, "MAIL_FALLBACK": "operator@portal.example", "ROSTERD_BY": "smtp-servers", "RUST_LOG": "info",
            "ROSTERD_LISTEN": f"127.0.0.1:{ports}", "ROSTERD_ADMIN_LISTEN": f"127.0.0.1:{ports + 1}",
            "ROSTERD_CONFIG": f"{self.home}/rosterd.toml", "SSL_CERT_FILE": f"{server.scratch}/ca.pem",
        }
        (self.home / "rosterd.toml").write_text(SETTINGS.format(tenant=TENANT, to=json.dumps(TO, ensure_ascii=False)))

    def command(self, *words, fails=False):
        done = subprocess.run([self.binary, *words], env=self.environment, cwd=self.home, capture_output=True, text=True, timeout=120)
        if done.returncode and not fails:
            raise RuntimeError(f"rosterd {' '.join(words)}: {done.stderr}")
        return done.stdout + done.stderr

    def send(self, kind, data, organization=TENANT):
        now = time.time()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03}Z"
        data = {"organization_id": organization, "created_at": stamp, "updated_at": stamp, **data}
        event = {"object": "event", "id": f"event_01SMTP{next(self.numbers):08}", "event": kind, "data": data, "created_at": stamp, "context": {}}
        body = json.dumps(event, ensure_ascii=False).encode()
        t = int(now * 1000)
        v1 = hmac.new(b"whsec_smtp", f"{t}.".encode() + body, hashlib.sha256).hexdigest()
        request = urllib.request.Request(f"http://127.0.0.1:{self.ports}/webhooks/workos", body,
                                         {"WorkOS-Signature": f"t={t}, v1={v1}", "Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=30).close()
        time.sleep(0.002)

    def directory(self, kind, number, **more):
        names = ["Müller Okta – 本社", "Zweigstelle Łódź", "Moved"]
        self.send(kind, {"object": "directory", "id": f"directory_0{number}", "external_key": "x", "type": "okta scim v2.0",
                         "state": "active", "name": names[number - 1], "domains": [], **more})

    def user(self, kind, number, directory=1, role="member", organization=TENANT, **more):
        name = f"{NAMES[number % len(NAMES)]} {number}"
        first, last = name.split(" ", 1)
        self.send(kind, {"object": "directory_user", "id": f"directory_user_{number:03}", "directory_id": f"directory_0{directory}",
                         "idp_id": f"idp-{number}", "email": f"user.{number}@customer.example", "first_name": first, "last_name": last,
                         "name": name, "emails": [], "job_title": None, "username": None, "state": "active", "raw_attributes": {},
                         "custom_attributes": {}, "role": {"slug": role}, "roles": [{"slug": role}], **more}, organization)

    def apply_rules(self, text):
        (self.home / "rules.toml").write_text(text)
        self.command("mapping", "plan", "rules.toml", "--out", "plan.json")
        self.command("mapping", "apply", "plan.json", "--yes")

    def wait(self, wanted, seconds=120):
        """Waits until mails with these words in their subjects are stored, and nothing waits to be sent."""
        end = time.time() + seconds
        while time.time() < end:
            subjects = [message_from_bytes(f.read_bytes(), policy=policy.default)["subject"] or "" for f in self.server.stored()]
            waits = json.loads(self.command("notices", "list", "--state", "waiting", "--format", "json"))
            missing = [words for words in wanted if not any(words in subject for subject in subjects)]
            if not missing and not waits:
                return []
            time.sleep(0.5)
        return missing or [f"{len(waits)} mails wait"]

    def run(self):
        """Returns what did not arrive."""
        log = open(self.home / "log", "wb")
        serve = subprocess.Popen([self.binary, "serve"], env=self.environment, cwd=self.home, stdout=log, stderr=log)
        try:
            for _ in range(200):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{self.ports}/healthz", timeout=5).close()
                except urllib.error.HTTPError:
                    break
                except OSError:
                    time.sleep(0.1)
                else:
                    break
            return self.acts()
        finally:
            serve.terminate()
            serve.wait(timeout=60)

    def acts(self):
        self.answers = [self.command("notices", "test", "--to", to, fails=True).strip() for to in TO]
        self.apply_rules(RULES)
        self.send("organization.created", {"object": "organization", "id": TENANT, "name": "Müller & Söhne – Zürich 東京 GmbH", "domains": []})
        self.send("organization.created", {"object": "organization", "id": OTHER, "name": "Übernahme AG", "domains": []}, OTHER)
        for number in (1, 2, 3):
            self.directory("dsync.activated", number)
        for number in range(1, 81):
            self.user("dsync.user.created", number)
        self.user("dsync.user.created", 81, role="admin")
        self.user("dsync.user.created", 82, role="owner")
        self.user("dsync.user.created", 83, directory=2)
        self.user("dsync.user.created", 84, directory=3)
        missing = self.wait(["connected", "Privileged role"])
        for number in range(1, 8):
            self.user("dsync.user.updated", number, state="suspended")
        self.user("dsync.user.updated", 81)
        self.user("dsync.user.updated", 82, role="owner", state="inactive")
        # Not understood: the group and the person are in different directories.
        group = {"object": "directory_group", "id": "directory_group_1", "directory_id": "directory_02", "name": "Straße"}
        person = {"object": "directory_user", "id": "directory_user_050", "directory_id": "directory_01", "state": "active"}
        self.send("dsync.group.user_added", {"directory_id": "directory_01", "user": person, "group": group})
        missing += self.wait(["Access removed", "lost: ", "Last owner", "Not applied"])
        self.directory("dsync.deleted", 2, state="deleting")
        missing += self.wait(["Directory deleted"])
        self.apply_rules(RULES + EVERYBODY)
        self.command("directories", "move", "directory_03", "--to", OTHER, "--reason", "die Kundin zog um – 移転", "--yes")
        missing += self.wait(["Role rules", "Moved to"])
        for number in range(10, 50):
            self.user("dsync.user.deleted", number)
        return missing + self.wait(["Please decide"])

    def previews(self):
        """Sends the example of every kind, as rosterd composes it, by Python's client. Returns the kinds."""
        kinds = self.command("notices", "preview", "x", fails=True).split("the kinds are ")[1].split("\n")[0].split(", ")
        with smtplib.SMTP("127.0.0.1", self.server.port) as client:
            for kind in kinds:
                eml = self.command("notices", "preview", kind, "--format", "eml").replace("\n", "\r\n").encode()
                client.sendmail("rosterd@portal.example", ["preview@customer.example"], eml)
        return kinds
