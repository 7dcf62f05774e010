// @better-auth/scim on the same PostgreSQL as rosterd, in a database of its own.
import { createServer } from "node:http";
import { scim } from "@better-auth/scim";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { toNodeHandler } from "better-auth/node";
import pg from "pg";

const auth = betterAuth({
    baseURL: `http://127.0.0.1:${process.env.PORT}`,
    secret: "a secret of the benchmark that is long enough for it",
    database: new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 20 }),
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
    logger: { level: "error" },
    plugins: [scim({ connections: [{ id: "bench", credentials: [{ type: "bearer", id: "one", token: "secret" }] }] })],
});
const { runMigrations } = await getMigrations(auth.options);
await runMigrations();
createServer(toNodeHandler(auth)).listen(Number(process.env.PORT), "127.0.0.1");
