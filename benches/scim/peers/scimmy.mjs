// scimmy-routers with a Map as its store, as its documentation leaves the store to the application.
import { randomUUID } from "node:crypto";
import express from "express";
import SCIMMY from "scimmy";
import SCIMMYRouters from "scimmy-routers";

function keep(resourceType) {
    const stored = new Map();
    const names = new Map();
    SCIMMY.Resources.declare(resourceType)
        .ingress((resource, data) => {
            const id = resource.id ?? randomUUID();
            const before = stored.get(id);
            if (data.userName !== undefined && names.has(data.userName) && names.get(data.userName) !== id) {
                throw new SCIMMY.Types.Error(409, "uniqueness", "the userName exists");
            }
            if (data.userName !== undefined) names.set(data.userName, id);
            const now = new Date().toISOString();
            const meta = { created: before?.meta.created ?? now, lastModified: now };
            const after = { ...JSON.parse(JSON.stringify(data)), id, meta };
            stored.set(id, after);
            return after;
        })
        .egress((resource) => (resource.id ? stored.get(resource.id) : [...stored.values()]))
        .degress((resource) => void stored.delete(resource.id));
}
keep(SCIMMY.Resources.User);
keep(SCIMMY.Resources.Group);

const app = express();
app.use(
    "/scim",
    new SCIMMYRouters({
        type: "bearer",
        handler: (request) => {
            if (request.header("Authorization") !== "Bearer secret") throw new Error("no token");
            return "client";
        },
    }),
);
app.listen(Number(process.env.PORT), "127.0.0.1");
