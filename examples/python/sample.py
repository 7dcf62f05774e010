"""rosterd's tables from Python: sign-in, session, roles, change feed, webhook receiver.

DATABASE_URL names the database. Parameters are written as in psycopg (%s) and changed for SQLite.
"""

import json
import os
import sqlite3
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

import psycopg
from standardwebhooks.webhooks import Webhook, WebhookVerificationError


class Rosterd:
    """Reads the tables for one tenant."""

    def __init__(self, url: str, tenant: str):
        self.tenant = tenant
        if url.startswith("sqlite://"):
            self.sqlite = sqlite3.connect(f"file:{url.removeprefix('sqlite://')}?mode=ro", uri=True)
        else:
            self.sqlite = None
            self.postgres = psycopg.connect(url, autocommit=True)

    def rows(self, sql: str, *parameters):
        if self.sqlite:
            return self.sqlite.execute(sql.replace("%s", "?"), parameters).fetchall()
        # The wall of a reader: the tenant ends with the transaction, so a pool cannot carry it on.
        with self.postgres.transaction():
            self.postgres.execute("SELECT set_config('rosterd.tenant', %s, true)", (self.tenant,))
            self.postgres.execute("SET LOCAL search_path = rosterd")
            return self.postgres.execute(sql, parameters).fetchall()

    def sign_in(self, directory: str, idp_id: str):
        """The user of a login, or the reason of a refusal."""
        rows = self.rows(
            "SELECT user_id, may_sign_in, reason, access_epoch FROM sign_in "
            "WHERE found_by = 'idp_id' AND tenant_id = %s AND directory_id = %s AND idp_id = %s",
            self.tenant, directory, idp_id,
        )
        if not rows:
            return {"allowed": False, "reason": "unknown"}
        user, allowed, reason, epoch = rows[0]
        return {"allowed": bool(allowed), "reason": reason, "user": user, "epoch": epoch}

    def is_session_valid(self, user: str, epoch: int) -> bool:
        """On every request: is the access that the session was given still the same?"""
        return bool(self.rows(
            "SELECT 1 FROM users WHERE tenant_id = %s AND id = %s AND status = 'active' AND access_epoch = %s",
            self.tenant, user, epoch,
        ))

    def roles(self, user: str):
        return [row[0] for row in self.rows(
            "SELECT role_slug FROM user_roles WHERE tenant_id = %s AND user_id = %s ORDER BY role_slug",
            self.tenant, user,
        )]

    def changes(self, after: int):
        """The records of the tenant after one, and the number from which to go on."""
        newest = self.rows("SELECT seq FROM changes_head")[0][0]
        records = self.rows(
            "SELECT seq, kind, subject FROM changes WHERE tenant_id = %s AND seq > %s AND seq <= %s ORDER BY seq",
            self.tenant, after, newest,
        )
        value = lambda text: json.loads(text) if isinstance(text, str) else text
        return {"next": newest, "records": [[kind, value(subject)] for _, kind, subject in records]}


class Receiver(BaseHTTPRequestHandler):
    """Receives webhooks, and believes only signed ones."""

    def do_POST(self):
        body = self.rfile.read(min(int(self.headers.get("content-length", 0)), 1 << 20))
        try:
            record = Webhook(os.environ["WEBHOOK_SECRET"]).verify(body, dict(self.headers))
        except WebhookVerificationError:
            self.send_response(400)
        else:
            # Store it, or end sessions. The same webhook-id may come again.
            print(json.dumps([record["type"], record["data"]["subject"]]), flush=True)
            self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def main():
    match sys.argv[1:]:
        case ["receive", port]:
            HTTPServer(("127.0.0.1", int(port)), Receiver).serve_forever()
        case [tenant, "sign-in", directory, idp_id]:
            answer = Rosterd(os.environ["DATABASE_URL"], tenant).sign_in(directory, idp_id)
        case [tenant, "session", user, epoch]:
            answer = Rosterd(os.environ["DATABASE_URL"], tenant).is_session_valid(user, int(epoch))
        case [tenant, "roles", user]:
            answer = Rosterd(os.environ["DATABASE_URL"], tenant).roles(user)
        case [tenant, "changes", after]:
            answer = Rosterd(os.environ["DATABASE_URL"], tenant).changes(int(after))
        case _:
            sys.exit("usage: receive PORT | TENANT sign-in DIRECTORY IDP_ID | session USER EPOCH | roles USER | changes SEQ")
    print(json.dumps(answer))


main()
