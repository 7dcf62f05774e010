-- rosterd's own tables are in schema rosterd_internal, which is the first of the search path: a table without a schema in
-- its name is created there. What the application reads is created in schema rosterd, by its full name. Two views exist in
-- both: rosterd reads its own, without the walls between tenants.

-- Settings that were fixed when the database was created. A change would change the meaning of every row.
CREATE TABLE properties (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- The stored deliveries, unchanged. This is the log from which everything else is derived. Only the erasure of a person
-- changes rows.
CREATE TABLE inbox (
    id          BIGINT           PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    source      TEXT COLLATE "C" NOT NULL,
    event_key   TEXT COLLATE "C" NOT NULL,
    kind        TEXT COLLATE "C" NOT NULL,
    -- 0 to apply, 1 ignored (no effect on directories), 2 not understood
    disposition SMALLINT         NOT NULL CHECK (disposition IN (0, 1, 2)),
    received_at BIGINT           NOT NULL,
    body        BYTEA            NOT NULL,
    UNIQUE (source, event_key)
);

-- Deliveries that are not applied yet, with the size of their bodies. The transaction that applies one deletes its row.
CREATE TABLE inbox_queue (
    inbox_id BIGINT   PRIMARY KEY,
    bytes    INTEGER  NOT NULL,
    attempts SMALLINT NOT NULL DEFAULT 0,
    due_at   BIGINT   NOT NULL DEFAULT 0
);

-- Dead letters. A retry moves a delivery back to the queue. A discard keeps the row with its reason.
CREATE TABLE dead_letters (
    inbox_id       BIGINT   PRIMARY KEY,
    reason         TEXT     NOT NULL,
    detail         TEXT     NOT NULL,
    attempts       SMALLINT NOT NULL,
    died_at        BIGINT   NOT NULL,
    discarded_at   BIGINT,
    discard_reason TEXT,
    -- for an event that names another organization than its directory's owner: the directory and that organization
    directory_id    TEXT COLLATE "C",
    organization_id TEXT COLLATE "C",
    -- for a change that the database refuses: the time of the next automatic attempt
    retry_at        BIGINT
);
CREATE INDEX dead_letters_retry ON dead_letters (retry_at) WHERE retry_at IS NOT NULL;
CREATE INDEX dead_letters_open ON dead_letters (died_at) WHERE discarded_at IS NULL;
CREATE INDEX dead_letters_directory ON dead_letters (directory_id) WHERE directory_id IS NOT NULL;

-- Ids of deliveries that retention has deleted, so that a late repetition is still a duplicate. Each is 128 bits of the
-- SHA-256 of the id.
CREATE TABLE seen_ids (
    source       TEXT COLLATE "C" NOT NULL,
    digest       BYTEA            NOT NULL,
    deleted_at BIGINT           NOT NULL,
    PRIMARY KEY (source, digest)
);
CREATE INDEX seen_ids_age ON seen_ids (deleted_at);

-- Ownership claims: events state that a directory belongs to an organization ('' = none). The oldest claim owns the
-- directory; its own events count before events that mention it. tenant_id is the result, NULL for a claim that lost.
-- tenure is the number of moves of the directory (directory_moves) before the claim.
CREATE TABLE claims (
    id              BIGINT           PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    directory_id    TEXT COLLATE "C" NOT NULL,
    organization_id TEXT COLLATE "C" NOT NULL,
    tenure          INTEGER          NOT NULL,
    rank            SMALLINT         NOT NULL,
    first_at        BIGINT           NOT NULL,
    first_event     TEXT COLLATE "C" NOT NULL,
    -- the delivery of the first event with this claim, and of one that is no removal (NULL: there are only removals)
    first_inbox_id  BIGINT           NOT NULL,
    revealed_by     BIGINT,
    tenant_id       TEXT COLLATE "C",
    UNIQUE (directory_id, organization_id, tenure)
);
CREATE INDEX claims_organization ON claims (organization_id);
CREATE INDEX claims_tenant ON claims (tenant_id);

-- Directories that an operator moved to another organization. The new tenure begins after the delivery until_inbox_id;
-- from_organization is '' if nobody owned the directory. Rows are never changed: they belong to the log.
CREATE TABLE directory_moves (
    directory_id      TEXT COLLATE "C" NOT NULL,
    tenure            INTEGER          NOT NULL,
    from_organization TEXT COLLATE "C" NOT NULL,
    to_organization   TEXT COLLATE "C" NOT NULL,
    until_inbox_id    BIGINT           NOT NULL,
    moved_at          BIGINT           NOT NULL,
    moved_by          TEXT             NOT NULL,
    reason            TEXT             NOT NULL,
    PRIMARY KEY (directory_id, tenure)
);
CREATE INDEX directory_moves_organization ON directory_moves (to_organization);

-- The latest fact about each entity under each claim: its version, and the delivery that contains it. Tombstones are
-- rows with live = false. The published tables are derived from these rows only.
CREATE TABLE facts (
    id       TEXT COLLATE "C" NOT NULL,
    kind     SMALLINT         NOT NULL,
    claim_id BIGINT           NOT NULL,
    at       BIGINT           NOT NULL,
    emitted  BIGINT           NOT NULL,
    event    TEXT COLLATE "C" NOT NULL,
    -- a delivery with a fact that is no removal; NULL: there are only removals, so the entity has no published row
    revealed_by BIGINT,
    live     BOOLEAN          NOT NULL,
    -- for a group: the newest deletion (time of the event, id, delivery). Memberships that are not newer do not count
    ended_at    BIGINT,
    ended_event TEXT COLLATE "C",
    ended_by    BIGINT,
    -- for a user: the bearers that facts have named; for a directory: its kinds of provider (src/decide/bearers.rs)
    bearers     TEXT,
    -- for a user whose latest fact is a deletion: the newest other fact, for the profile (src/decide/last_profile.rs)
    deletion    TEXT,
    digest   BIGINT           NOT NULL,
    inbox_id BIGINT           NOT NULL,
    PRIMARY KEY (id, kind, claim_id)
) WITH (fillfactor = 80); -- room in each page: a newer word, which changes no index, stays there
-- Users and groups under a claim, for recomputations. Partial, so that look-ups by key use the primary key, whose pages
-- are in memory.
CREATE INDEX facts_claim ON facts (claim_id, id, kind) WHERE kind >= 2;

CREATE TABLE memberships (
    group_id TEXT COLLATE "C" NOT NULL,
    user_id  TEXT COLLATE "C" NOT NULL,
    claim_id BIGINT           NOT NULL,
    at       BIGINT           NOT NULL,
    event    TEXT COLLATE "C" NOT NULL,
    added    BOOLEAN          NOT NULL,
    inbox_id BIGINT           NOT NULL,
    PRIMARY KEY (group_id, user_id, claim_id)
);
CREATE INDEX memberships_user ON memberships (user_id);

-- Recomputations: directories whose people and groups are derived again in steps, or only the members of one group (''
-- = all). The next step begins after id_after.
CREATE TABLE recompute_jobs (
    directory_id TEXT COLLATE "C" NOT NULL,
    group_id     TEXT COLLATE "C" NOT NULL,
    id_after     TEXT COLLATE "C" NOT NULL,
    kind_after   SMALLINT         NOT NULL,
    -- 0: somebody may lose access, so it is first; 1: the members of a group; 2: another mapping
    rank         SMALLINT         NOT NULL,
    -- 0, or the time when a step last failed: then all other jobs are first
    failed_at    BIGINT           NOT NULL DEFAULT 0,
    PRIMARY KEY (directory_id, group_id)
);

-- Users and groups whose change a constraint or trigger of the application refused, while the rest was applied. They
-- are tried again with growing pauses. owner is the directory of the job, or the tenant of the hold.
CREATE TABLE refused (
    kind      SMALLINT         NOT NULL,
    id        TEXT COLLATE "C" NOT NULL,
    owner     TEXT COLLATE "C" NOT NULL,
    group_id  TEXT COLLATE "C" NOT NULL,
    -- as in recompute_jobs; 3: a person whose hold is approved
    rank      SMALLINT         NOT NULL,
    detail    TEXT             NOT NULL,
    attempts  SMALLINT         NOT NULL,
    since     BIGINT           NOT NULL,
    due_at    BIGINT           NOT NULL,
    PRIMARY KEY (kind, id)
);
CREATE INDEX refused_due ON refused (due_at);

-- Role mappings, each a whole document. The newest is in force; before the first, the built-in one is.
CREATE TABLE mappings (
    version    BIGINT PRIMARY KEY,
    document   TEXT   NOT NULL,
    applied_by TEXT   NOT NULL,
    applied_at BIGINT NOT NULL
);

-- Manual grants. They belong to persons and not to ids of the broker, and no event changes them. A person may become
-- known late (with the directory's kind of provider), so the user of the grant is stored, too.
CREATE TABLE manual_grants (
    tenant_id  TEXT COLLATE "C" NOT NULL,
    user_id    TEXT COLLATE "C" NOT NULL,
    person_id  TEXT COLLATE "C" NOT NULL,
    role_slug  TEXT COLLATE "C" NOT NULL,
    reason     TEXT             NOT NULL,
    granted_by TEXT             NOT NULL,
    granted_at BIGINT           NOT NULL,
    PRIMARY KEY (tenant_id, user_id, person_id, role_slug)
);
CREATE INDEX manual_grants_person ON manual_grants (tenant_id, person_id);

-- Losses of access and of privileged roles lately, by directory and minute: what the guard weighs. applied are those
-- that were not held; departures are those of them that ended access.
CREATE TABLE guard_counts (
    directory_id TEXT COLLATE "C" NOT NULL,
    minute       BIGINT NOT NULL,
    losses       BIGINT NOT NULL,
    applied      BIGINT NOT NULL,
    departures   BIGINT NOT NULL,
    PRIMARY KEY (directory_id, minute)
);

-- Mass changes that are held, or were; a directory has one open at most. applied_before of active_before people had
-- lost access, or a privileged role, in the window before it tripped. The state follows from the decisions about its
-- people; ended: nobody decided, and newer facts ended all of it.
CREATE TABLE holds (
    id               BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    tenant_id        TEXT COLLATE "C" NOT NULL,
    directory_id     TEXT COLLATE "C" NOT NULL,
    cause            TEXT NOT NULL,
    state            TEXT NOT NULL CHECK (state IN ('open', 'approved', 'rejected', 'mixed', 'ended')),
    opened_at        BIGINT NOT NULL,
    due_at           BIGINT,
    applied_before   BIGINT NOT NULL,
    active_before    BIGINT NOT NULL,
    -- the number of people when it was last announced, and how often it was
    announced_people BIGINT NOT NULL DEFAULT 0,
    announcements    BIGINT NOT NULL DEFAULT 0,
    -- while people join: when the next announcement is due, and since when they have joined
    announce_at      BIGINT,
    growing_since    BIGINT
);
CREATE UNIQUE INDEX holds_open ON holds (tenant_id, directory_id) WHERE state = 'open';
CREATE INDEX holds_due ON holds (due_at) WHERE state = 'open' AND due_at IS NOT NULL;
CREATE INDEX holds_announce ON holds (announce_at) WHERE announce_at IS NOT NULL;

-- Decisions about holds: people of of_people were decided. Rows are never changed; one that overrides an earlier decision
-- is another row.
CREATE TABLE hold_decisions (
    hold_id    BIGINT NOT NULL,
    number     BIGINT NOT NULL,
    decided_at BIGINT NOT NULL,
    decided_by TEXT NOT NULL,
    decision   TEXT NOT NULL CHECK (decision IN ('approved', 'rejected')),
    reason     TEXT,
    people     BIGINT NOT NULL,
    of_people  BIGINT NOT NULL,
    overrides  BOOLEAN NOT NULL,
    PRIMARY KEY (hold_id, number)
);

-- Whom a hold concerns. While a row is open, approved or rejected the user keeps what is shown: lost, roles and said are
-- what the directory wants, and by which word. done came true, ended was overtaken by what the directory said later.
CREATE TABLE held_users (
    tenant_id       TEXT COLLATE "C" NOT NULL,
    user_id         TEXT COLLATE "C" NOT NULL,
    hold_id         BIGINT NOT NULL,
    lost            TEXT NOT NULL,
    roles           TEXT NOT NULL,
    cause_digest BIGINT NOT NULL,
    state           TEXT NOT NULL CHECK (state IN ('open', 'approved', 'rejected', 'done', 'ended')),
    held_at         BIGINT NOT NULL,
    -- the newest decision about this loss (hold_decisions.number); NULL without one
    decision_number BIGINT,
    PRIMARY KEY (tenant_id, user_id, hold_id)
);
CREATE UNIQUE INDEX held_users_live ON held_users (tenant_id, user_id) WHERE state IN ('open', 'approved', 'rejected');
CREATE INDEX held_users_hold ON held_users (hold_id, state);
CREATE INDEX held_users_approved ON held_users (hold_id) WHERE state = 'approved';

-- Holder records: people who hold a protected role, or held it since it is protected, with the broker's time of the
-- loss. While nobody holds the role, the newest loss is not applied (kept). released: an operator applied the loss.
CREATE TABLE role_holders (
    tenant_id  TEXT COLLATE "C" NOT NULL,
    user_id    TEXT COLLATE "C" NOT NULL,
    role_slug  TEXT COLLATE "C" NOT NULL,
    lost_at    BIGINT,
    lost_event TEXT COLLATE "C",
    retained   BOOLEAN NOT NULL,
    released   BOOLEAN NOT NULL,
    -- of a loss: the directory asks for the end of access, too
    ends_access BOOLEAN NOT NULL,
    PRIMARY KEY (tenant_id, user_id, role_slug)
);
CREATE INDEX role_holders_role ON role_holders (tenant_id, role_slug, lost_at);

-- Role slugs that facts under a claim have named. Table roles lists them.
CREATE TABLE role_mentions (
    claim_id BIGINT           NOT NULL,
    slug     TEXT COLLATE "C" NOT NULL,
    inbox_id BIGINT           NOT NULL,
    PRIMARY KEY (claim_id, slug)
);

CREATE TABLE rosterd.tenants (
    id         TEXT COLLATE "C" PRIMARY KEY,
    name       TEXT,
    created_at TIMESTAMPTZ,
    updated_at TIMESTAMPTZ,
    deleted_at TIMESTAMPTZ
);

CREATE TABLE rosterd.directories (
    tenant_id  TEXT COLLATE "C" NOT NULL,
    id         TEXT COLLATE "C" NOT NULL,
    name       TEXT,
    type       TEXT,
    state      TEXT             NOT NULL,
    created_at TIMESTAMPTZ,
    updated_at TIMESTAMPTZ,
    deleted_at TIMESTAMPTZ,
    PRIMARY KEY (tenant_id, id)
);

CREATE TABLE rosterd.users (
    tenant_id         TEXT COLLATE "C" NOT NULL,
    id                TEXT COLLATE "C" NOT NULL,
    person_id         TEXT COLLATE "C" NOT NULL,
    directory_id      TEXT COLLATE "C" NOT NULL,
    idp_id            TEXT COLLATE "C",
    email             TEXT,
    -- the address with its ASCII letters in lower case. Addresses are compared by it
    email_key         TEXT COLLATE "C",
    username          TEXT,
    first_name        TEXT,
    last_name         TEXT,
    name              TEXT,
    job_title         TEXT,
    status            TEXT             NOT NULL CHECK (status IN ('active', 'inactive')),
    custom_attributes JSONB            NOT NULL,
    access_epoch      BIGINT           NOT NULL,
    deprovisioned_at  TIMESTAMPTZ,
    created_at        TIMESTAMPTZ      NOT NULL,
    updated_at        TIMESTAMPTZ      NOT NULL,
    -- rosterd's own: the role slugs of the latest fact, and the digest of the content of this row
    role_slugs        TEXT             NOT NULL,
    digest            BIGINT           NOT NULL,
    -- the latest fact about a former bearer of the id: earlier memberships belong to that person
    former_at         BIGINT,
    former_event      TEXT COLLATE "C",
    PRIMARY KEY (tenant_id, id)
) WITH (fillfactor = 85); -- as for facts
CREATE INDEX users_person ON users (person_id, tenant_id);
CREATE INDEX users_email ON users (email_key, tenant_id);
-- Finds users with the same idp_id, in other directories too.
CREATE INDEX users_idp_id ON users (idp_id, tenant_id, directory_id);

CREATE TABLE rosterd.groups (
    tenant_id    TEXT COLLATE "C" NOT NULL,
    id           TEXT COLLATE "C" NOT NULL,
    directory_id TEXT COLLATE "C" NOT NULL,
    idp_id       TEXT COLLATE "C",
    name         TEXT             NOT NULL,
    created_at   TIMESTAMPTZ      NOT NULL,
    updated_at   TIMESTAMPTZ      NOT NULL,
    digest       BIGINT           NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

CREATE TABLE rosterd.roles (
    tenant_id TEXT COLLATE "C" NOT NULL,
    slug      TEXT COLLATE "C" NOT NULL,
    name      TEXT             NOT NULL,
    PRIMARY KEY (tenant_id, slug)
);

CREATE TABLE rosterd.user_roles (
    tenant_id  TEXT COLLATE "C" NOT NULL,
    user_id    TEXT COLLATE "C" NOT NULL,
    role_slug  TEXT COLLATE "C" NOT NULL,
    granted_by TEXT             NOT NULL,
    granted_at TIMESTAMPTZ      NOT NULL,
    PRIMARY KEY (tenant_id, user_id, role_slug)
) WITH (fillfactor = 85); -- as for facts

-- A user is a member if the newest fact is an addition, the group exists and the user is active. The inner select
-- matters only if the events of one directory claim two organizations. A group that was created again begins empty:
-- facts from before its newest deletion do not count.
CREATE VIEW group_members AS
SELECT DISTINCT c.tenant_id, m.group_id, m.user_id
FROM memberships m
JOIN claims c ON c.id = m.claim_id
JOIN users u ON u.tenant_id = c.tenant_id AND u.id = m.user_id AND u.status = 'active'
JOIN groups g ON g.tenant_id = c.tenant_id AND g.id = m.group_id
WHERE m.added
  AND (u.former_at IS NULL OR (m.at, m.event) > (u.former_at, u.former_event))
  AND NOT EXISTS (
      SELECT 1 FROM memberships n JOIN claims d ON d.id = n.claim_id
      WHERE n.group_id = m.group_id AND n.user_id = m.user_id AND d.tenant_id = c.tenant_id
        AND (n.at, n.event) > (m.at, m.event)
  )
  AND NOT EXISTS (
      SELECT 1 FROM facts f JOIN claims e ON e.id = f.claim_id
      WHERE f.id = m.group_id AND f.kind = 3 AND e.tenant_id = c.tenant_id
        AND (f.ended_at, f.ended_event) >= (m.at, m.event)
  );

-- Who has access, or a role, although the directory says otherwise: people in a hold, and last holders of a protected role.
CREATE VIEW access_under_review AS
SELECT e.tenant_id, e.user_id, 'held' AS reason, timestamptz 'epoch' + e.held_at * interval '1 microsecond' AS since, e.hold_id, NULL AS role_slug
FROM held_users e
WHERE e.state IN ('open', 'approved', 'rejected')
UNION ALL
SELECT h.tenant_id, h.user_id, 'last_holder' AS reason, timestamptz 'epoch' + h.lost_at * interval '1 microsecond' AS since, NULL AS hold_id, h.role_slug
FROM role_holders h
WHERE h.retained;

-- The change feed: a record for each row of the tables above that appears, changes or disappears, written at the end of
-- the transaction. Only an erasure changes records, and only retention deletes them, from the beginning.
CREATE TABLE rosterd.changes (
    seq       BIGINT           PRIMARY KEY,
    at        TIMESTAMPTZ      NOT NULL,
    tenant_id TEXT COLLATE "C" NOT NULL,
    kind      TEXT COLLATE "C" NOT NULL,
    -- the key of the row without the tenant, the other columns before and after, and why
    subject   JSONB            NOT NULL,
    before    JSONB,
    after     JSONB,
    cause     JSONB            NOT NULL
);

-- The ends of the change feed, one row. The transaction that appends records locks it last, so numbers have no gaps, and
-- nobody sees a record before all earlier ones.
CREATE TABLE rosterd.changes_head (
    id        SMALLINT    PRIMARY KEY CHECK (id = 1),
    seq       BIGINT      NOT NULL,
    first_seq BIGINT      NOT NULL,
    at        TIMESTAMPTZ NOT NULL
);

-- Programs that read the change feed, each with the last record that it has processed. Records wait for them.
CREATE TABLE consumers (
    name         TEXT COLLATE "C" PRIMARY KEY,
    seq          BIGINT           NOT NULL,
    created_at   BIGINT           NOT NULL,
    confirmed_at BIGINT           NOT NULL
);

-- Addresses of the application to which rosterd posts the records of the feed. All records up to settled_seq are settled, or
-- are rows of endpoint_waiting. A process that posts has a lease, and writes only while fence (which
-- grows with each lease) and revision (which grows with each change by an operator) have the numbers that it has read.
CREATE TABLE endpoints (
    id              TEXT COLLATE "C" PRIMARY KEY,
    name            TEXT COLLATE "C" NOT NULL,
    url             TEXT COLLATE "C" NOT NULL,
    tenant_id       TEXT COLLATE "C",
    kinds           TEXT COLLATE "C",
    allow_private   BOOLEAN          NOT NULL,
    secret          TEXT COLLATE "C" NOT NULL,
    previous_secret TEXT COLLATE "C",
    previous_until  BIGINT,
    settled_seq     BIGINT           NOT NULL,
    state           TEXT COLLATE "C" NOT NULL,
    reason          TEXT COLLATE "C",
    failures        BIGINT           NOT NULL,
    open_until      BIGINT,
    revision        BIGINT           NOT NULL,
    fence           BIGINT           NOT NULL,
    lease_until     BIGINT           NOT NULL,
    delivered       BIGINT           NOT NULL,
    given_up        BIGINT           NOT NULL,
    lost            BIGINT           NOT NULL,
    last_success_at BIGINT,
    last_failure_at BIGINT,
    last_error      TEXT COLLATE "C",
    created_by      TEXT COLLATE "C" NOT NULL,
    created_at      BIGINT           NOT NULL
);

-- Records that an endpoint did not take, and later records of the same lane, which wait behind them.
CREATE TABLE endpoint_waiting (
    endpoint_id     TEXT COLLATE "C" NOT NULL,
    seq             BIGINT           NOT NULL,
    lane            TEXT COLLATE "C" NOT NULL,
    attempts        BIGINT           NOT NULL,
    since           BIGINT,
    due_at          BIGINT,
    PRIMARY KEY (endpoint_id, seq)
);

-- Failed attempts, and the successes that ended them.
CREATE TABLE endpoint_attempts (
    endpoint_id     TEXT COLLATE "C" NOT NULL,
    at              BIGINT           NOT NULL,
    seq             BIGINT           NOT NULL,
    outcome         TEXT COLLATE "C" NOT NULL,
    duration_ms     BIGINT           NOT NULL,
    PRIMARY KEY (endpoint_id, at, seq)
);

-- Row-level security. A role that reads for the application sees the rows of one tenant, which its session names with
-- SET rosterd.tenant = '…'; without it, the role sees nothing. The owner of the tables sees all rows. Other roles that see
-- all rows have policies of their own (src/operator/database_roles.rs).
ALTER TABLE rosterd.tenants ENABLE ROW LEVEL SECURITY;
ALTER TABLE rosterd.directories ENABLE ROW LEVEL SECURITY;
ALTER TABLE rosterd.users ENABLE ROW LEVEL SECURITY;
ALTER TABLE rosterd.groups ENABLE ROW LEVEL SECURITY;
ALTER TABLE rosterd.roles ENABLE ROW LEVEL SECURITY;
ALTER TABLE rosterd.user_roles ENABLE ROW LEVEL SECURITY;
ALTER TABLE rosterd.changes ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON rosterd.tenants FOR SELECT USING (id = current_setting('rosterd.tenant', true));
CREATE POLICY one_tenant ON rosterd.directories FOR SELECT USING (tenant_id = current_setting('rosterd.tenant', true));
CREATE POLICY one_tenant ON rosterd.users FOR SELECT USING (tenant_id = current_setting('rosterd.tenant', true));
CREATE POLICY one_tenant ON rosterd.groups FOR SELECT USING (tenant_id = current_setting('rosterd.tenant', true));
CREATE POLICY one_tenant ON rosterd.roles FOR SELECT USING (tenant_id = current_setting('rosterd.tenant', true));
CREATE POLICY one_tenant ON rosterd.user_roles FOR SELECT USING (tenant_id = current_setting('rosterd.tenant', true));
CREATE POLICY one_tenant ON rosterd.changes FOR SELECT USING (tenant_id = current_setting('rosterd.tenant', true));

-- Only the privileges on this view matter: a role that may read it sees all tenants in the next two views.
CREATE VIEW all_tenants AS SELECT true AS visible;

-- The views for the application. They read rosterd's own tables with the rights of their owner, because a reader has no
-- right to these; so they have the condition of the policies themselves. A condition of the reader that could tell what it
-- sees is evaluated after it (security_barrier).
CREATE VIEW rosterd.group_members WITH (security_barrier) AS
SELECT tenant_id, group_id, user_id
FROM rosterd_internal.group_members
WHERE tenant_id = current_setting('rosterd.tenant', true)
   OR (SELECT has_table_privilege('rosterd_internal.all_tenants'::regclass, 'SELECT'));

CREATE VIEW rosterd.access_under_review WITH (security_barrier) AS
SELECT tenant_id, user_id, reason, since, hold_id, role_slug
FROM rosterd_internal.access_under_review
WHERE tenant_id = current_setting('rosterd.tenant', true)
   OR (SELECT has_table_privilege('rosterd_internal.all_tenants'::regclass, 'SELECT'));

-- How a login becomes a row: one row for each key that a login may bring. For idp_id and email_key, several accounts may
-- have the key: an active one answers, and of several the newest; if they belong to different persons, nobody may sign in.
CREATE VIEW rosterd.sign_in WITH (security_invoker) AS
SELECT u.tenant_id, 'user_id' AS found_by, NULL::text COLLATE "C" AS directory_id, NULL::text COLLATE "C" AS idp_id, NULL::text COLLATE "C" AS email_key,
       u.id AS user_id, u.person_id, u.status, u.status = 'active' AS may_sign_in,
       CASE WHEN u.status = 'active' THEN 'active' WHEN t.deleted_at IS NOT NULL THEN 'tenant_deleted'
            WHEN d.deleted_at IS NOT NULL THEN 'directory_deleted' ELSE 'inactive' END AS reason,
       u.access_epoch
FROM rosterd.users u
LEFT JOIN rosterd.tenants t ON t.id = u.tenant_id
LEFT JOIN rosterd.directories d ON d.tenant_id = u.tenant_id AND d.id = u.directory_id
UNION ALL
SELECT k.tenant_id, 'idp_id', k.directory_id, k.idp_id, NULL::text COLLATE "C",
       CASE WHEN k.ambiguous THEN NULL ELSE k.id END,
       CASE WHEN k.ambiguous THEN NULL ELSE k.person_id END,
       CASE WHEN k.ambiguous THEN NULL ELSE k.status END,
       k.status = 'active' AND NOT k.ambiguous,
       CASE WHEN k.ambiguous THEN 'idp_id_is_ambiguous' WHEN k.status = 'active' THEN 'active'
            WHEN t.deleted_at IS NOT NULL THEN 'tenant_deleted' WHEN d.deleted_at IS NOT NULL THEN 'directory_deleted'
            ELSE 'inactive' END,
       CASE WHEN k.ambiguous THEN NULL ELSE k.access_epoch END
FROM (
    SELECT u.tenant_id, u.directory_id, u.idp_id, u.email_key, u.id, u.person_id, u.status, u.access_epoch,
           u.status = 'active' AND EXISTS (
               SELECT 1 FROM rosterd.users o
               WHERE o.tenant_id = u.tenant_id AND o.directory_id = u.directory_id AND o.idp_id = u.idp_id
                 AND o.status = 'active' AND o.person_id <> u.person_id) AS ambiguous
    FROM rosterd.users u
    WHERE u.idp_id <> '' AND NOT EXISTS (
        SELECT 1 FROM rosterd.users o
        WHERE o.tenant_id = u.tenant_id AND o.directory_id = u.directory_id AND o.idp_id = u.idp_id
          AND (o.status < u.status OR (o.status = u.status AND (o.created_at, o.id) > (u.created_at, u.id))))
) k
LEFT JOIN rosterd.tenants t ON t.id = k.tenant_id
LEFT JOIN rosterd.directories d ON d.tenant_id = k.tenant_id AND d.id = k.directory_id
UNION ALL
SELECT k.tenant_id, 'email_key', NULL::text COLLATE "C", NULL::text COLLATE "C", k.email_key,
       CASE WHEN k.ambiguous THEN NULL ELSE k.id END,
       CASE WHEN k.ambiguous THEN NULL ELSE k.person_id END,
       CASE WHEN k.ambiguous THEN NULL ELSE k.status END,
       k.status = 'active' AND NOT k.ambiguous,
       CASE WHEN k.ambiguous THEN 'address_is_ambiguous' WHEN k.status = 'active' THEN 'active'
            WHEN t.deleted_at IS NOT NULL THEN 'tenant_deleted' WHEN d.deleted_at IS NOT NULL THEN 'directory_deleted'
            ELSE 'inactive' END,
       CASE WHEN k.ambiguous THEN NULL ELSE k.access_epoch END
FROM (
    SELECT u.tenant_id, u.directory_id, u.idp_id, u.email_key, u.id, u.person_id, u.status, u.access_epoch,
           u.status = 'active' AND EXISTS (
               SELECT 1 FROM rosterd.users o
               WHERE o.tenant_id = u.tenant_id AND o.email_key = u.email_key
                 AND o.status = 'active' AND o.person_id <> u.person_id) AS ambiguous
    FROM rosterd.users u
    WHERE u.email_key <> '' AND NOT EXISTS (
        SELECT 1 FROM rosterd.users o
        WHERE o.tenant_id = u.tenant_id AND o.email_key = u.email_key
          AND (o.status < u.status OR (o.status = u.status AND (o.created_at, o.id) > (u.created_at, u.id))))
) k
LEFT JOIN rosterd.tenants t ON t.id = k.tenant_id
LEFT JOIN rosterd.directories d ON d.tenant_id = k.tenant_id AND d.id = k.directory_id;

-- The version of what the application reads. A migration that changes it replaces this view.
CREATE VIEW rosterd.schema_version WITH (security_invoker) AS SELECT 1::bigint AS major, 0::bigint AS minor;

-- Comments on everything that the application reads. docs/tables.md has the same texts.
COMMENT ON TABLE rosterd.tenants IS 'The customers of the application.';
COMMENT ON COLUMN rosterd.tenants.id IS 'The id of the broker''s organization, or default for directories without organization.';
COMMENT ON COLUMN rosterd.tenants.name IS 'The name of the organization. Null until an event describes it.';
COMMENT ON COLUMN rosterd.tenants.created_at IS 'When the broker created the organization. Null until an event describes it.';
COMMENT ON COLUMN rosterd.tenants.updated_at IS 'When the organization last changed. Null until an event describes it.';
COMMENT ON COLUMN rosterd.tenants.deleted_at IS 'When the organization was deleted. Null while it exists.';
COMMENT ON TABLE rosterd.directories IS 'The directories of the customers: each is one connection to an identity provider.';
COMMENT ON COLUMN rosterd.directories.tenant_id IS 'The tenant.';
COMMENT ON COLUMN rosterd.directories.id IS 'The broker''s id.';
COMMENT ON COLUMN rosterd.directories.name IS 'The name of the directory. Null until an event describes it.';
COMMENT ON COLUMN rosterd.directories.type IS 'The kind of provider, as the broker names it. Null until an event describes it.';
COMMENT ON COLUMN rosterd.directories.state IS 'The broker''s state of the directory; unknown until an event describes it, deleted after its deletion.';
COMMENT ON COLUMN rosterd.directories.created_at IS 'When the broker created the directory. Null until an event describes it.';
COMMENT ON COLUMN rosterd.directories.updated_at IS 'When the directory last changed. Null until an event describes it.';
COMMENT ON COLUMN rosterd.directories.deleted_at IS 'When the directory was deleted. Null while it exists.';
COMMENT ON TABLE rosterd.users IS 'The accounts in the directories. A leaver''s row remains, with status inactive.';
COMMENT ON COLUMN rosterd.users.tenant_id IS 'The tenant.';
COMMENT ON COLUMN rosterd.users.id IS 'The broker''s id of the account.';
COMMENT ON COLUMN rosterd.users.person_id IS 'The same in all accounts of one person within the tenant, also when a directory is connected again.';
COMMENT ON COLUMN rosterd.users.directory_id IS 'The directory.';
COMMENT ON COLUMN rosterd.users.idp_id IS 'The id that the identity provider gave the account. It is unique in one directory only.';
COMMENT ON COLUMN rosterd.users.email IS 'The address.';
COMMENT ON COLUMN rosterd.users.username IS 'The login name.';
COMMENT ON COLUMN rosterd.users.first_name IS 'The given name.';
COMMENT ON COLUMN rosterd.users.last_name IS 'The family name.';
COMMENT ON COLUMN rosterd.users.name IS 'The display name.';
COMMENT ON COLUMN rosterd.users.job_title IS 'The job title.';
COMMENT ON COLUMN rosterd.users.email_key IS 'The address with its ASCII letters in lower case. Addresses are compared by it.';
COMMENT ON COLUMN rosterd.users.status IS 'active or inactive. Only active users may sign in.';
COMMENT ON COLUMN rosterd.users.custom_attributes IS 'The attributes that the broker does not define, as one JSON object.';
COMMENT ON COLUMN rosterd.users.access_epoch IS 'A number that grows whenever access shrinks or changes. Sessions compare it.';
COMMENT ON COLUMN rosterd.users.deprovisioned_at IS 'When the user lost access. Null while the user has access.';
COMMENT ON COLUMN rosterd.users.created_at IS 'When the broker created the account.';
COMMENT ON COLUMN rosterd.users.updated_at IS 'When the account last changed.';
COMMENT ON TABLE rosterd.groups IS 'The groups that exist in the directories.';
COMMENT ON COLUMN rosterd.groups.tenant_id IS 'The tenant.';
COMMENT ON COLUMN rosterd.groups.id IS 'The broker''s id.';
COMMENT ON COLUMN rosterd.groups.directory_id IS 'The directory.';
COMMENT ON COLUMN rosterd.groups.idp_id IS 'The id that the identity provider gave the group.';
COMMENT ON COLUMN rosterd.groups.name IS 'The name of the group.';
COMMENT ON COLUMN rosterd.groups.created_at IS 'When the broker created the group.';
COMMENT ON COLUMN rosterd.groups.updated_at IS 'When the group last changed.';
COMMENT ON VIEW rosterd.group_members IS 'The active users in existing groups.';
COMMENT ON COLUMN rosterd.group_members.tenant_id IS 'The tenant.';
COMMENT ON COLUMN rosterd.group_members.group_id IS 'The group.';
COMMENT ON COLUMN rosterd.group_members.user_id IS 'The user.';
COMMENT ON TABLE rosterd.roles IS 'The roles of each tenant.';
COMMENT ON COLUMN rosterd.roles.tenant_id IS 'The tenant.';
COMMENT ON COLUMN rosterd.roles.slug IS 'The name of the role in the role mapping and in the application.';
COMMENT ON COLUMN rosterd.roles.name IS 'The name of the role for people.';
COMMENT ON TABLE rosterd.user_roles IS 'The role assignments of active users.';
COMMENT ON COLUMN rosterd.user_roles.tenant_id IS 'The tenant.';
COMMENT ON COLUMN rosterd.user_roles.user_id IS 'The user.';
COMMENT ON COLUMN rosterd.user_roles.role_slug IS 'The role.';
COMMENT ON COLUMN rosterd.user_roles.granted_by IS 'The rule and the fact that grant the role, or broker role, or manual grant.';
COMMENT ON COLUMN rosterd.user_roles.granted_at IS 'When the fact became true: for a group when the user joined it, otherwise the time of the user''s latest fact.';
COMMENT ON VIEW rosterd.access_under_review IS 'Access, or a role, that somebody has although the directory says otherwise.';
COMMENT ON COLUMN rosterd.access_under_review.tenant_id IS 'The tenant.';
COMMENT ON COLUMN rosterd.access_under_review.user_id IS 'The user.';
COMMENT ON COLUMN rosterd.access_under_review.reason IS 'held for a user in a mass change on hold, last_holder for the last holder of a protected role.';
COMMENT ON COLUMN rosterd.access_under_review.since IS 'Since when: for held by this service''s clock, for last_holder the broker''s time of the loss.';
COMMENT ON COLUMN rosterd.access_under_review.hold_id IS 'The hold of a held user, otherwise null.';
COMMENT ON COLUMN rosterd.access_under_review.role_slug IS 'The role of a last holder, otherwise null.';
COMMENT ON VIEW rosterd.sign_in IS 'The answer to a sign-in: one row for each key by which a login can find a user.';
COMMENT ON COLUMN rosterd.sign_in.tenant_id IS 'The tenant.';
COMMENT ON COLUMN rosterd.sign_in.found_by IS 'The key of this row: user_id, idp_id (with directory_id) or email_key. The columns of other keys are null, except user_id.';
COMMENT ON COLUMN rosterd.sign_in.directory_id IS 'The directory of the key idp_id.';
COMMENT ON COLUMN rosterd.sign_in.idp_id IS 'The identity provider''s id of the account. It is a key together with directory_id.';
COMMENT ON COLUMN rosterd.sign_in.email_key IS 'The address with its ASCII letters in lower case, as a key of last resort.';
COMMENT ON COLUMN rosterd.sign_in.user_id IS 'The user. Null if the key is ambiguous.';
COMMENT ON COLUMN rosterd.sign_in.person_id IS 'The person. Null if the key is ambiguous.';
COMMENT ON COLUMN rosterd.sign_in.status IS 'The status of the user. Null if the key is ambiguous.';
COMMENT ON COLUMN rosterd.sign_in.may_sign_in IS 'Whether the user may sign in. Nothing else must be checked.';
COMMENT ON COLUMN rosterd.sign_in.reason IS 'active, inactive, directory_deleted, tenant_deleted, idp_id_is_ambiguous or address_is_ambiguous.';
COMMENT ON COLUMN rosterd.sign_in.access_epoch IS 'The number that the session must remember. Null if the key is ambiguous.';
COMMENT ON VIEW rosterd.schema_version IS 'The version of the tables and views that an application reads. It has one row.';
COMMENT ON COLUMN rosterd.schema_version.major IS 'Grows when something documented changes its meaning, or ends.';
COMMENT ON COLUMN rosterd.schema_version.minor IS 'Grows when something is added.';
COMMENT ON TABLE rosterd.changes IS 'The change feed: one record for each row of the tables above that appears, changes or disappears.';
COMMENT ON COLUMN rosterd.changes.seq IS 'The number of the record. Numbers begin with 1, rise and have no gap.';
COMMENT ON COLUMN rosterd.changes.at IS 'The time of the transaction, by this service''s clock. All records of a transaction have the same time.';
COMMENT ON COLUMN rosterd.changes.tenant_id IS 'The tenant.';
COMMENT ON COLUMN rosterd.changes.kind IS 'The change, for example user.deprovisioned.';
COMMENT ON COLUMN rosterd.changes.subject IS 'The key of the row, without the tenant.';
COMMENT ON COLUMN rosterd.changes.before IS 'The other columns of the row before the change. Null if there was no row.';
COMMENT ON COLUMN rosterd.changes.after IS 'The other columns of the row after the change. Null if there is no row any more.';
COMMENT ON COLUMN rosterd.changes.cause IS 'The event, operator, mapping version or rule that caused the change.';
COMMENT ON TABLE rosterd.changes_head IS 'The ends of the change feed. It has one row, once a record was written.';
COMMENT ON COLUMN rosterd.changes_head.seq IS 'The number of the newest record.';
COMMENT ON COLUMN rosterd.changes_head.first_seq IS 'The number of the first record that is stored.';
COMMENT ON COLUMN rosterd.changes_head.at IS 'The time of the newest record.';
COMMENT ON COLUMN rosterd.changes_head.id IS 'rosterd''s own: always 1.';
COMMENT ON COLUMN rosterd.users.role_slugs IS 'rosterd''s own: the role slugs of the latest fact.';
COMMENT ON COLUMN rosterd.users.digest IS 'rosterd''s own: the digest of the content of this row.';
COMMENT ON COLUMN rosterd.users.former_at IS 'rosterd''s own: the latest fact about a former bearer of the id.';
COMMENT ON COLUMN rosterd.users.former_event IS 'rosterd''s own: the event of former_at.';
COMMENT ON COLUMN rosterd.groups.digest IS 'rosterd''s own: the digest of the content of this row.';

-- Notices: one row for each, written in the transaction of the change.
CREATE TABLE outbox (
    id         BIGINT           PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    tenant_id  TEXT COLLATE "C" NOT NULL,
    kind       TEXT COLLATE "C" NOT NULL,
    -- notices of one tenant with the same bundle may share a mail ('' = the operator)
    bundle     TEXT COLLATE "C" NOT NULL,
    -- '' if it is about no person
    user_id    TEXT COLLATE "C" NOT NULL,
    person_id  TEXT COLLATE "C" NOT NULL,
    payload    TEXT             NOT NULL,
    created_at BIGINT           NOT NULL,
    -- the mail that contains it; notified_at is the time when it was sent, and remains NULL for a notice that is no longer
    -- true
    mail_id    BIGINT,
    notified_at    BIGINT,
    -- the id belongs to another person now; person_id remains the person of the notice
    former     BOOLEAN          NOT NULL DEFAULT false
);
CREATE INDEX outbox_waiting ON outbox (tenant_id, bundle, created_at) WHERE mail_id IS NULL;
CREATE INDEX outbox_mail ON outbox (mail_id) WHERE mail_id IS NOT NULL;
CREATE INDEX outbox_person ON outbox (tenant_id, person_id);
CREATE INDEX outbox_user ON outbox (tenant_id, user_id);

-- Mails: bundles of notices. The Message-ID is the same in all attempts, so that a repetition is recognised.
CREATE TABLE mails (
    id          BIGINT           PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    tenant_id   TEXT COLLATE "C" NOT NULL,
    bundle      TEXT COLLATE "C" NOT NULL,
    message_id  TEXT COLLATE "C" NOT NULL UNIQUE,
    state       TEXT             NOT NULL CHECK (state IN ('waiting', 'sent', 'needless', 'dead')),
    attempts    SMALLINT         NOT NULL,
    due_at      BIGINT           NOT NULL,
    created_at  BIGINT           NOT NULL,
    finished_at BIGINT,
    last_error  TEXT,
    -- recipients that the mail server refused for ever, and the reason; whether the mail went to mail.fallback then
    refused     INTEGER          NOT NULL DEFAULT 0,
    refusal     TEXT,
    fell_back   BOOLEAN          NOT NULL DEFAULT false,
    -- the server's answer for each recipient, by digest of the address, while some have none
    settled      TEXT
);
CREATE INDEX mails_due ON mails (due_at) WHERE state = 'waiting';
-- Finds the latest mails of a tenant, for the limit of each hour.
CREATE INDEX mails_recent ON mails (tenant_id, created_at);

-- The time of a directory's last event, with a precision of an hour, and of the notice about its silence since then.
CREATE TABLE directory_activity (
    directory_id TEXT COLLATE "C" PRIMARY KEY,
    last_event_at     BIGINT           NOT NULL,
    notified_at      BIGINT,
    -- when its first synchronization ends, until that is reported
    first_sync_ends_at BIGINT
);

-- Events that were refused because their directory belongs to another organization, counted since the operator was last
-- notified of that directory.
CREATE TABLE refused_claims (
    directory_id    TEXT COLLATE "C" PRIMARY KEY,
    organization_id TEXT COLLATE "C" NOT NULL,
    events          BIGINT           NOT NULL,
    leavers         BIGINT           NOT NULL,
    inbox_id        BIGINT           NOT NULL,
    first_at        BIGINT           NOT NULL,
    notified_at     BIGINT
);

-- Addresses that operators added to the recipients of a tenant's mails. address_key is the address with its ASCII letters in
-- lower case; id is a random name for the audit trail, which must not contain the address.
CREATE TABLE recipients (
    tenant_id   TEXT COLLATE "C" NOT NULL,
    address_key TEXT COLLATE "C" NOT NULL,
    address     TEXT             NOT NULL,
    id          TEXT COLLATE "C" NOT NULL,
    added_by    TEXT             NOT NULL,
    added_at    BIGINT           NOT NULL,
    PRIMARY KEY (tenant_id, address_key)
);

-- The newest report period of each tenant that has begun, by its first instant.
CREATE TABLE report_periods (
    tenant_id TEXT COLLATE "C" PRIMARY KEY,
    period    BIGINT           NOT NULL
);

-- The audit trail: one entry for each change, written in the transaction of the change, in a chain for each tenant (''
-- = none). `hash` covers the entry before and all columns except personal and salt. It covers the commitment instead,
-- so the chain remains valid when a person is erased. Rows are never deleted.
CREATE TABLE audit (
    tenant_id   TEXT COLLATE "C" NOT NULL,
    seq         BIGINT           NOT NULL,
    kind        TEXT COLLATE "C" NOT NULL,
    subject     TEXT COLLATE "C" NOT NULL,
    change      TEXT             NOT NULL,
    -- names, addresses, attributes; erased if NULL with a commitment
    personal    TEXT,
    salt        BYTEA,
    commitment  BYTEA,
    actor       TEXT             NOT NULL,
    inbox_id    BIGINT,
    received_at BIGINT,
    stated_at     BIGINT,
    applied_at  BIGINT           NOT NULL,
    hash        BYTEA            NOT NULL,
    PRIMARY KEY (tenant_id, seq)
);
CREATE INDEX audit_subject ON audit (tenant_id, subject);

-- The last entry of each chain, so that missing entries at its end are found.
CREATE TABLE audit_heads (
    tenant_id TEXT COLLATE "C" PRIMARY KEY,
    seq       BIGINT           NOT NULL,
    hash      BYTEA            NOT NULL
);

-- The position up to which the broker's events are read. The transaction that stores the events moves it, and never
-- back.
CREATE TABLE event_cursors (
    source    TEXT COLLATE "C" PRIMARY KEY,
    -- NULL: the next read begins by time
    cursor    TEXT,
    -- the time of the event at the cursor; and the time of the last complete read, by this service's clock
    at        BIGINT NOT NULL,
    polled_at BIGINT NOT NULL
);

-- Events that were read from the API before their webhook. A row is deleted when the webhook arrives, or when it counts
-- as missed.
CREATE TABLE polled_events (
    event_key TEXT COLLATE "C" PRIMARY KEY,
    seen_at   BIGINT NOT NULL
);
CREATE INDEX polled_events_age ON polled_events (seen_at);

-- Comparisons of directories with the broker's lists, and the differences that were found (JSON).
CREATE TABLE comparisons (
    directory_id TEXT COLLATE "C" NOT NULL,
    -- by this service's clock
    checked_at   BIGINT NOT NULL,
    tenant_id    TEXT COLLATE "C" NOT NULL,
    complete     BOOLEAN NOT NULL,
    reason       TEXT,
    -- the time at which the lists are true, by the broker's clock
    compared_at  BIGINT,
    people       BIGINT NOT NULL,
    groups       BIGINT NOT NULL,
    memberships  BIGINT NOT NULL,
    differences  BIGINT NOT NULL,
    healed       BIGINT NOT NULL,
    held         BIGINT NOT NULL,
    report       TEXT NOT NULL,
    PRIMARY KEY (directory_id, checked_at)
);

-- Tokens of SCIM clients. Only the SHA-256 of a token is stored. directory_id is '' for a token that reads a whole tenant.
-- Rows are never deleted: they say which directories are provisioned by SCIM.
CREATE TABLE scim_tokens (
    id           TEXT COLLATE "C" PRIMARY KEY,
    digest       BYTEA            NOT NULL UNIQUE,
    directory_id TEXT COLLATE "C" NOT NULL,
    tenant_id    TEXT COLLATE "C" NOT NULL,
    name         TEXT             NOT NULL,
    created_by   TEXT             NOT NULL,
    created_at   BIGINT           NOT NULL,
    expires_at   BIGINT,
    revoked_at   BIGINT,
    last_used_at BIGINT
);
CREATE INDEX scim_tokens_directory ON scim_tokens (directory_id);

-- Users (kind 0) and groups (kind 1) as their identity provider wrote them by SCIM. The keys are folded for searches
-- without regard to case; a deleted resource has none, and no document.
CREATE TABLE scim_resources (
    id            TEXT COLLATE "C" PRIMARY KEY,
    directory_id  TEXT COLLATE "C" NOT NULL,
    kind          SMALLINT         NOT NULL,
    user_name_key TEXT COLLATE "C",
    external_id   TEXT COLLATE "C",
    display_key   TEXT COLLATE "C",
    version       BIGINT           NOT NULL,
    created_at    BIGINT           NOT NULL,
    modified_at   BIGINT           NOT NULL,
    deleted       BOOLEAN          NOT NULL,
    document      TEXT             NOT NULL
);
CREATE UNIQUE INDEX scim_resources_user_name ON scim_resources (directory_id, user_name_key) WHERE user_name_key IS NOT NULL;
CREATE INDEX scim_resources_external_id ON scim_resources (directory_id, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX scim_resources_display ON scim_resources (directory_id, display_key) WHERE display_key IS NOT NULL;
CREATE INDEX scim_resources_list ON scim_resources (directory_id, kind, id) WHERE NOT deleted;

-- The members of groups as their identity provider wrote them by SCIM, also without access.
CREATE TABLE scim_members (
    group_id  TEXT COLLATE "C" NOT NULL,
    member_id TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (group_id, member_id)
);
CREATE INDEX scim_members_member ON scim_members (member_id);
