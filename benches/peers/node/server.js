// The hand-written handler: Fastify, one transaction of two or three statements an event, then 200.

import cluster from 'node:cluster';
import { WorkOS } from '@workos-inc/node';
import fastify from 'fastify';
import pg from 'pg';

const { PORT = 3000, PROCESSES = 2, POOL = 8, DATABASE_URL, WORKOS_WEBHOOK_SECRET } = process.env;

// A named statement is prepared once a connection.
const SEEN = {
  name: 'seen',
  text: 'INSERT INTO processed_events (event_id) VALUES ($1) ON CONFLICT DO NOTHING',
};
const USER = {
  name: 'user',
  text: `
    INSERT INTO users (id, organization_id, directory_id, idp_id, email, first_name, last_name, state, role,
                       custom_attributes, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
    ON CONFLICT (id) DO UPDATE SET
        organization_id = excluded.organization_id, directory_id = excluded.directory_id, idp_id = excluded.idp_id,
        email = excluded.email, first_name = excluded.first_name, last_name = excluded.last_name,
        state = excluded.state, role = excluded.role, custom_attributes = excluded.custom_attributes,
        updated_at = excluded.updated_at
    WHERE users.updated_at < excluded.updated_at`,
};
const ROLES = {
  name: 'roles',
  text: `
    WITH gone AS (DELETE FROM user_roles WHERE user_id = $1 AND role <> ALL ($2::text[]))
    INSERT INTO user_roles (user_id, role) SELECT $1, unnest($2::text[]) ON CONFLICT DO NOTHING`,
};
const GROUP = {
  name: 'group',
  text: `
    INSERT INTO groups (id, organization_id, directory_id, name, updated_at) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, updated_at = excluded.updated_at
    WHERE groups.updated_at < excluded.updated_at`,
};
const EMPTY_GROUP = { name: 'empty_group', text: 'DELETE FROM group_members WHERE group_id = $1' };
const DELETE_GROUP = { name: 'delete_group', text: 'DELETE FROM groups WHERE id = $1' };
const ADD_MEMBER = {
  name: 'add_member',
  text: 'INSERT INTO group_members (group_id, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING',
};
const REMOVE_MEMBER = {
  name: 'remove_member',
  text: 'DELETE FROM group_members WHERE group_id = $1 AND user_id = $2',
};
const DIRECTORY = {
  name: 'directory',
  text: `
    INSERT INTO directories (id, organization_id, name, state, updated_at) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, state = excluded.state, updated_at = excluded.updated_at
    WHERE directories.updated_at < excluded.updated_at`,
};
const DELETE_USERS = {
  name: 'delete_users',
  text: `
    WITH gone AS (UPDATE users SET state = 'deleted' WHERE directory_id = $1 RETURNING id)
    DELETE FROM user_roles USING gone WHERE user_id = gone.id`,
};
const DELETE_GROUPS = {
  name: 'delete_groups',
  text: `
    WITH gone AS (DELETE FROM groups WHERE directory_id = $1 RETURNING id)
    DELETE FROM group_members USING gone WHERE group_id = gone.id`,
};

if (cluster.isPrimary) {
  for (let n = 0; n < Number(PROCESSES); n++) cluster.fork();
  cluster.on('exit', () => process.exit(1));
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(0));
} else {
  await serve();
}

async function serve() {
  const workos = new WorkOS('sk_not_used');
  const pool = new pg.Pool({ connectionString: DATABASE_URL, max: Number(POOL) });
  const app = fastify();

  // The signature is over the raw bytes.
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));

  app.post('/webhooks/workos', async (request, reply) => {
    let event;
    try {
      event = await workos.webhooks.constructEvent({
        payload: request.body,
        sigHeader: request.headers['workos-signature'],
        secret: WORKOS_WEBHOOK_SECRET,
      });
    } catch {
      return reply.code(401).send();
    }
    await keep(pool, event);
    return reply.code(200).send();
  });

  app.get('/healthz', async (_request, reply) => reply.code(200).send());

  await app.listen({ port: Number(PORT), host: '127.0.0.1' });
}

async function keep(pool, event) {
  const client = await pool.connect();
  const run = async (statement, values) => (await client.query({ ...statement, values })).rowCount;
  let failed;
  try {
    await client.query('BEGIN');
    const isNew = (await run(SEEN, [event.id])) === 1;
    if (isNew) await apply(run, event);
    await client.query('COMMIT');
  } catch (error) {
    failed = error;
    throw error;
  } finally {
    client.release(failed); // a connection that failed is closed, which rolls back
  }
}

async function apply(run, { event, data, createdAt }) {
  switch (event) {
    case 'dsync.user.created':
    case 'dsync.user.updated':
      return putUser(run, data);
    case 'dsync.user.deleted':
      // The event is newer than the snapshot it carries.
      return putUser(run, { ...data, state: 'deleted', updatedAt: createdAt });
    case 'dsync.group.created':
    case 'dsync.group.updated':
      return run(GROUP, [data.id, data.organizationId, data.directoryId, data.name, data.updatedAt]);
    case 'dsync.group.deleted':
      await run(EMPTY_GROUP, [data.id]);
      return run(DELETE_GROUP, [data.id]);
    case 'dsync.group.user_added':
      return run(ADD_MEMBER, [data.group.id, data.user.id]);
    case 'dsync.group.user_removed':
      return run(REMOVE_MEMBER, [data.group.id, data.user.id]);
    case 'dsync.activated':
      return putDirectory(run, data, 'active', data.updatedAt);
    case 'dsync.deleted':
      await run(DELETE_USERS, [data.id]);
      await run(DELETE_GROUPS, [data.id]);
      return putDirectory(run, data, 'deleted', createdAt);
  }
}

async function putUser(run, user) {
  const role = user.role?.slug;
  const isNewer = await run(USER, [
    user.id, user.organizationId, user.directoryId, user.idpId, user.email, user.firstName, user.lastName,
    user.state, role, user.customAttributes, user.updatedAt,
  ]);
  if (!isNewer) return;
  // Somebody who is not active has none.
  const roles = user.state === 'active' ? (user.roles?.map(({ slug }) => slug) ?? (role ? [role] : [])) : [];
  await run(ROLES, [user.id, roles]);
}

function putDirectory(run, directory, state, updatedAt) {
  return run(DIRECTORY, [directory.id, directory.organizationId, directory.name, state, updatedAt]);
}
