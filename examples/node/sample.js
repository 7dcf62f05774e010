// rosterd's tables from Node: sign-in, session, roles, change feed, webhook receiver. DATABASE_URL names the database.
// SQLite needs Node 22.5 or newer (node:sqlite).
import { createServer } from "node:http";
import pg from "pg";
import { Webhook } from "standardwebhooks";

/** Reads the tables for one tenant. */
class Rosterd {
  static async open(url, tenant) {
    const self = new Rosterd();
    self.tenant = tenant;
    if (url.startsWith("sqlite://")) {
      const { DatabaseSync } = await import("node:sqlite");
      self.sqlite = new DatabaseSync(url.slice("sqlite://".length), { readOnly: true });
    } else {
      // Numbers of rosterd are below 2^53.
      pg.types.setTypeParser(pg.types.builtins.INT8, Number);
      self.postgres = new pg.Client(url);
      await self.postgres.connect();
    }
    return self;
  }

  async rows(sql, ...parameters) {
    if (this.sqlite) {
      return this.sqlite.prepare(sql.replace(/\$(\d)/g, "?$1")).all(...parameters);
    }
    // The wall of a reader: the tenant ends with the transaction, so a pool cannot carry it on.
    await this.postgres.query("BEGIN");
    try {
      await this.postgres.query("SELECT set_config('rosterd.tenant', $1, true)", [this.tenant]);
      await this.postgres.query("SET LOCAL search_path = rosterd");
      return (await this.postgres.query(sql, parameters)).rows;
    } finally {
      await this.postgres.query("ROLLBACK");
    }
  }

  /** The user of a login, or the reason of a refusal. */
  async signIn(directory, idpId) {
    const [row] = await this.rows(
      `SELECT user_id, may_sign_in, reason, access_epoch FROM sign_in
       WHERE found_by = 'idp_id' AND tenant_id = $1 AND directory_id = $2 AND idp_id = $3`,
      this.tenant, directory, idpId,
    );
    if (!row) return { allowed: false, reason: "unknown" };
    return { allowed: Boolean(row.may_sign_in), reason: row.reason, user: row.user_id, epoch: row.access_epoch };
  }

  /** On every request: is the access that the session was given still the same? */
  async isSessionValid(user, epoch) {
    const rows = await this.rows(
      "SELECT 1 FROM users WHERE tenant_id = $1 AND id = $2 AND status = 'active' AND access_epoch = $3",
      this.tenant, user, epoch,
    );
    return rows.length > 0;
  }

  async roles(user) {
    const rows = await this.rows(
      "SELECT role_slug FROM user_roles WHERE tenant_id = $1 AND user_id = $2 ORDER BY role_slug",
      this.tenant, user,
    );
    return rows.map((row) => row.role_slug);
  }

  /** The records of the tenant after one, and the number from which to go on. */
  async changes(after) {
    const [{ seq: next }] = await this.rows("SELECT seq FROM changes_head");
    const records = await this.rows(
      "SELECT seq, kind, subject FROM changes WHERE tenant_id = $1 AND seq > $2 AND seq <= $3 ORDER BY seq",
      this.tenant, after, next,
    );
    const value = (text) => (typeof text === "string" ? JSON.parse(text) : text);
    return { next, records: records.map(({ kind, subject }) => [kind, value(subject)]) };
  }

  async close() {
    await this.postgres?.end();
  }
}

/** Receives webhooks, and believes only signed ones. */
function receive(port) {
  const webhook = new Webhook(process.env.WEBHOOK_SECRET);
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const part of request.setEncoding("utf8")) {
      body += part;
      if (body.length > 1 << 20) return request.destroy();
    }
    try {
      const record = webhook.verify(body, request.headers);
      // Store it, or end sessions. The same webhook-id may come again.
      console.log(JSON.stringify([record.type, record.data.subject]));
      response.writeHead(204).end();
    } catch {
      response.writeHead(400).end();
    }
  });
  server.listen(port, "127.0.0.1");
}

const [first, verb, ...rest] = process.argv.slice(2);
if (first === "receive") {
  receive(Number(verb));
} else {
  const rosterd = await Rosterd.open(process.env.DATABASE_URL, first);
  const answers = {
    "sign-in": () => rosterd.signIn(rest[0], rest[1]),
    session: () => rosterd.isSessionValid(rest[0], Number(rest[1])),
    roles: () => rosterd.roles(rest[0]),
    changes: () => rosterd.changes(Number(rest[0])),
  };
  console.log(JSON.stringify(await answers[verb]()));
  await rosterd.close();
}
