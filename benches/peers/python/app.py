"""The hand-written handler: FastAPI, one transaction of two or three statements an event, then 200."""

import json
import multiprocessing
import os
import signal
import socket
import sys
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI, Request, Response
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool
from workos import WorkOSClient

PORT = int(os.environ.get("PORT", "3000"))
PROCESSES = int(os.environ.get("PROCESSES", "2"))
POOL = int(os.environ.get("POOL", "8"))
SECRET = os.environ["WORKOS_WEBHOOK_SECRET"]

SEEN = "INSERT INTO processed_events (event_id) VALUES (%s) ON CONFLICT DO NOTHING"
USER = """
    INSERT INTO users (id, organization_id, directory_id, idp_id, email, first_name, last_name, state, role,
                       custom_attributes, updated_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (id) DO UPDATE SET
        organization_id = excluded.organization_id, directory_id = excluded.directory_id, idp_id = excluded.idp_id,
        email = excluded.email, first_name = excluded.first_name, last_name = excluded.last_name,
        state = excluded.state, role = excluded.role, custom_attributes = excluded.custom_attributes,
        updated_at = excluded.updated_at
    WHERE users.updated_at < excluded.updated_at"""
ROLES = """
    WITH gone AS (DELETE FROM user_roles WHERE user_id = %(user)s AND role <> ALL (%(roles)s::text[]))
    INSERT INTO user_roles (user_id, role) SELECT %(user)s, unnest(%(roles)s::text[]) ON CONFLICT DO NOTHING"""
GROUP = """
    INSERT INTO groups (id, organization_id, directory_id, name, updated_at) VALUES (%s, %s, %s, %s, %s)
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, updated_at = excluded.updated_at
    WHERE groups.updated_at < excluded.updated_at"""
EMPTY_GROUP = "DELETE FROM group_members WHERE group_id = %s"
DELETE_GROUP = "DELETE FROM groups WHERE id = %s"
ADD_MEMBER = "INSERT INTO group_members (group_id, user_id) VALUES (%s, %s) ON CONFLICT DO NOTHING"
REMOVE_MEMBER = "DELETE FROM group_members WHERE group_id = %s AND user_id = %s"
DIRECTORY = """
    INSERT INTO directories (id, organization_id, name, state, updated_at) VALUES (%s, %s, %s, %s, %s)
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, state = excluded.state, updated_at = excluded.updated_at
    WHERE directories.updated_at < excluded.updated_at"""
DELETE_USERS = """
    WITH gone AS (UPDATE users SET state = 'deleted' WHERE directory_id = %s RETURNING id)
    DELETE FROM user_roles USING gone WHERE user_id = gone.id"""
DELETE_GROUPS = """
    WITH gone AS (DELETE FROM groups WHERE directory_id = %s RETURNING id)
    DELETE FROM group_members USING gone WHERE group_id = gone.id"""

webhooks = WorkOSClient(api_key="sk_not_used", client_id="client_not_used").webhooks
pool = AsyncConnectionPool(
    os.environ["DATABASE_URL"],
    min_size=POOL,
    max_size=POOL,
    kwargs={"prepare_threshold": 0},  # every statement is prepared at its first use on a connection
    open=False,
)


@asynccontextmanager
async def lifespan(_app):
    async with pool:
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/healthz")
async def healthz():
    return Response()


@app.post("/webhooks/workos")
async def webhook(request: Request):
    body = await request.body()
    try:
        signature = request.headers.get("workos-signature")
        webhooks.verify_header(event_body=body, event_signature=signature, secret=SECRET)
    except ValueError:
        return Response(status_code=401)
    event = json.loads(body)
    async with pool.connection() as connection:  # one transaction
        if (await connection.execute(SEEN, (event["id"],))).rowcount:
            await apply(connection.execute, event)
    return Response()


async def apply(execute, event):
    data = event["data"]
    match event["event"]:
        case "dsync.user.created" | "dsync.user.updated":
            await put_user(execute, data)
        case "dsync.user.deleted":
            # The event is newer than the snapshot it carries.
            await put_user(execute, {**data, "state": "deleted", "updated_at": event["created_at"]})
        case "dsync.group.created" | "dsync.group.updated":
            columns = ("id", "organization_id", "directory_id", "name", "updated_at")
            await execute(GROUP, [data[column] for column in columns])
        case "dsync.group.deleted":
            await execute(EMPTY_GROUP, (data["id"],))
            await execute(DELETE_GROUP, (data["id"],))
        case "dsync.group.user_added":
            await execute(ADD_MEMBER, (data["group"]["id"], data["user"]["id"]))
        case "dsync.group.user_removed":
            await execute(REMOVE_MEMBER, (data["group"]["id"], data["user"]["id"]))
        case "dsync.activated":
            await put_directory(execute, data, "active", data["updated_at"])
        case "dsync.deleted":
            await execute(DELETE_USERS, (data["id"],))
            await execute(DELETE_GROUPS, (data["id"],))
            await put_directory(execute, data, "deleted", event["created_at"])


async def put_user(execute, user):
    role = user["role"]["slug"] if user.get("role") else None
    columns = ("id", "organization_id", "directory_id", "idp_id", "email", "first_name", "last_name", "state")
    values = [user.get(column) for column in columns]
    values += [role, Jsonb(user["custom_attributes"]), user["updated_at"]]
    if not (await execute(USER, values)).rowcount:
        return
    # Somebody who is not active has none.
    roles = []
    if user["state"] == "active":
        roles = [each["slug"] for each in user["roles"]] if user.get("roles") else [role] if role else []
    await execute(ROLES, {"user": user["id"], "roles": roles})


async def put_directory(execute, directory, state, updated_at):
    values = (directory["id"], directory["organization_id"], directory["name"], state, updated_at)
    await execute(DIRECTORY, values)


def serve():
    # A socket for each process: with a shared one, whoever wakes first accepts nearly all connections.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind(("127.0.0.1", PORT))
    config = uvicorn.Config(app, loop="uvloop", http="httptools", access_log=False, log_level="warning")
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    processes = [multiprocessing.get_context("spawn").Process(target=serve, daemon=True) for _ in range(PROCESSES)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
