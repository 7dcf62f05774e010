-- Settings that were fixed when the database was created. A change would change the meaning of every row.
CREATE TABLE properties (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The stored deliveries, unchanged. This is the log from which everything else is derived. Only the erasure of a person
-- changes rows.
CREATE TABLE inbox (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    source      TEXT    NOT NULL,
    event_key   TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    -- 0 to apply, 1 ignored (no effect on directories), 2 not understood
    disposition INTEGER NOT NULL CHECK (disposition IN (0, 1, 2)),
    received_at INTEGER NOT NULL,
    body        BLOB    NOT NULL,
    UNIQUE (source, event_key)
) STRICT;

-- Deliveries that are not applied yet, with the size of their bodies. The transaction that applies one deletes its row.
CREATE TABLE inbox_queue (
    inbox_id INTEGER PRIMARY KEY,
    bytes    INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at   INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Dead letters. A retry moves a delivery back to the queue. A discard keeps the row with its reason.
CREATE TABLE dead_letters (
    inbox_id       INTEGER PRIMARY KEY,
    reason         TEXT    NOT NULL,
    detail         TEXT    NOT NULL,
    attempts       INTEGER NOT NULL,
    died_at        INTEGER NOT NULL,
    discarded_at   INTEGER,
    discard_reason TEXT,
    -- for an event that names another organization than its directory's owner: the directory and that organization
    directory_id    TEXT,
    organization_id TEXT,
    -- for a change that the database refuses: the time of the next automatic attempt
    retry_at        INTEGER
) STRICT;
CREATE INDEX dead_letters_retry ON dead_letters (retry_at) WHERE retry_at IS NOT NULL;
CREATE INDEX dead_letters_open ON dead_letters (died_at) WHERE discarded_at IS NULL;
CREATE INDEX dead_letters_directory ON dead_letters (directory_id) WHERE directory_id IS NOT NULL;

-- Ids of deliveries that retention has deleted, so that a late repetition is still a duplicate. Each is 128 bits of the
-- SHA-256 of the id.
CREATE TABLE seen_ids (
    source       TEXT    NOT NULL,
    digest       BLOB    NOT NULL,
    deleted_at INTEGER NOT NULL,
    PRIMARY KEY (source, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX seen_ids_age ON seen_ids (deleted_at);

-- Ownership claims: events state that a directory belongs to an organization ('' = none). The oldest claim owns the
-- directory; its own events count before events that mention it. tenant_id is the result, NULL for a claim that lost.
-- tenure is the number of moves of the directory (directory_moves) before the claim.
CREATE TABLE claims (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    directory_id    TEXT    NOT NULL,
    organization_id TEXT    NOT NULL,
    tenure          INTEGER NOT NULL,
    rank            INTEGER NOT NULL,
    first_at        INTEGER NOT NULL,
    first_event     TEXT    NOT NULL,
    -- the delivery of the first event with this claim, and of one that is no removal (NULL: there are only removals)
    first_inbox_id  INTEGER  NOT NULL,
    revealed_by     INTEGER,
    tenant_id       TEXT,
    UNIQUE (directory_id, organization_id, tenure)
) STRICT;
CREATE INDEX claims_organization ON claims (organization_id);
CREATE INDEX claims_tenant ON claims (tenant_id);

-- Directories that an operator moved to another organization. The new tenure begins after the delivery until_inbox_id;
-- from_organization is '' if nobody owned the directory. Rows are never changed: they belong to the log.
CREATE TABLE directory_moves (
    directory_id      TEXT    NOT NULL,
    tenure            INTEGER NOT NULL,
    from_organization TEXT    NOT NULL,
    to_organization   TEXT    NOT NULL,
    until_inbox_id    INTEGER NOT NULL,
    moved_at          INTEGER NOT NULL,
    moved_by          TEXT    NOT NULL,
    reason            TEXT    NOT NULL,
    PRIMARY KEY (directory_id, tenure)
) STRICT, WITHOUT ROWID;
CREATE INDEX directory_moves_organization ON directory_moves (to_organization);

-- The latest fact about each entity under each claim: its version, and the delivery that contains it. Tombstones are
-- rows with live = 0. The published tables are derived from these rows only.
CREATE TABLE facts (
    id         TEXT    NOT NULL,
    kind       INTEGER NOT NULL,
    claim_id   INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    emitted    INTEGER NOT NULL,
    event      TEXT    NOT NULL,
    -- a delivery with a fact that is no removal; NULL: there are only removals, so the entity has no published row
    revealed_by INTEGER,
    live       INTEGER NOT NULL CHECK (live IN (0, 1)),
    -- for a group: the newest deletion (time of the event, id, delivery). Memberships that are not newer do not count
    ended_at    INTEGER,
    ended_event TEXT,
    ended_by    INTEGER,
    -- for a user: the bearers that facts have named; for a directory: its kinds of provider (src/decide/bearers.rs)
    bearers     TEXT,
    -- for a user whose latest fact is a deletion: the newest other fact, for the profile (src/decide/last_profile.rs)
    deletion    TEXT,
    digest     INTEGER NOT NULL,
    inbox_id   INTEGER NOT NULL,
    PRIMARY KEY (id, kind, claim_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX facts_claim ON facts (claim_id, id, kind);

CREATE TABLE memberships (
    group_id TEXT    NOT NULL,
    user_id  TEXT    NOT NULL,
    claim_id INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    event    TEXT    NOT NULL,
    added    INTEGER NOT NULL CHECK (added IN (0, 1)),
    inbox_id INTEGER NOT NULL,
    PRIMARY KEY (group_id, user_id, claim_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX memberships_user ON memberships (user_id);

-- Recomputations: directories whose people and groups are derived again in steps, or only the members of one group (''
-- = all). The next step begins after id_after.
CREATE TABLE recompute_jobs (
    directory_id TEXT    NOT NULL,
    group_id     TEXT    NOT NULL,
    id_after     TEXT    NOT NULL,
    kind_after   INTEGER NOT NULL,
    -- 0: somebody may lose access, so it is first; 1: the members of a group; 2: another mapping
    rank         INTEGER NOT NULL,
    -- 0, or the time when a step last failed: then all other jobs are first
    failed_at    INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (directory_id, group_id)
) STRICT, WITHOUT ROWID;

-- Users and groups whose change a constraint or trigger of the application refused, while the rest was applied. They
-- are tried again with growing pauses. owner is the directory of the job, or the tenant of the hold.
CREATE TABLE refused (
    kind      INTEGER NOT NULL,
    id        TEXT    NOT NULL,
    owner     TEXT    NOT NULL,
    group_id  TEXT    NOT NULL,
    -- as in recompute_jobs; 3: a person whose hold is approved
    rank      INTEGER NOT NULL,
    detail    TEXT    NOT NULL,
    attempts  INTEGER NOT NULL,
    since     INTEGER NOT NULL,
    due_at    INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX refused_due ON refused (due_at);

-- Role mappings, each a whole document. The newest is in force; before the first, the built-in one is.
CREATE TABLE mappings (
    version    INTEGER PRIMARY KEY,
    document   TEXT    NOT NULL,
    applied_by TEXT    NOT NULL,
    applied_at INTEGER NOT NULL
) STRICT;

-- Manual grants. They belong to persons and not to ids of the broker, and no event changes them. A person may become
-- known late (with the directory's kind of provider), so the user of the grant is stored, too.
CREATE TABLE manual_grants (
    tenant_id  TEXT    NOT NULL,
    user_id    TEXT    NOT NULL,
    person_id  TEXT    NOT NULL,
    role_slug  TEXT    NOT NULL,
    reason     TEXT    NOT NULL,
    granted_by TEXT    NOT NULL,
    granted_at INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, user_id, person_id, role_slug)
) STRICT, WITHOUT ROWID;
CREATE INDEX manual_grants_person ON manual_grants (tenant_id, person_id);

-- Losses of access and of privileged roles lately, by directory and minute: what the guard weighs. applied are those
-- that were not held; departures are those of them that ended access.
CREATE TABLE guard_counts (
    directory_id TEXT NOT NULL,
    minute       INTEGER NOT NULL,
    losses       INTEGER NOT NULL,
    applied      INTEGER NOT NULL,
    departures   INTEGER NOT NULL,
    PRIMARY KEY (directory_id, minute)
) STRICT, WITHOUT ROWID;

-- Mass changes that are held, or were; a directory has one open at most. applied_before of active_before people had
-- lost access, or a privileged role, in the window before it tripped. The state follows from the decisions about its
-- people; ended: nobody decided, and newer facts ended all of it.
CREATE TABLE holds (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id        TEXT NOT NULL,
    directory_id     TEXT NOT NULL,
    cause            TEXT NOT NULL,
    state            TEXT NOT NULL CHECK (state IN ('open', 'approved', 'rejected', 'mixed', 'ended')),
    opened_at        INTEGER NOT NULL,
    due_at           INTEGER,
    applied_before   INTEGER NOT NULL,
    active_before    INTEGER NOT NULL,
    -- the number of people when it was last announced, and how often it was
    announced_people INTEGER NOT NULL DEFAULT 0,
    announcements    INTEGER NOT NULL DEFAULT 0,
    -- while people join: when the next announcement is due, and since when they have joined
    announce_at      INTEGER,
    growing_since    INTEGER
) STRICT;
CREATE UNIQUE INDEX holds_open ON holds (tenant_id, directory_id) WHERE state = 'open';
CREATE INDEX holds_due ON holds (due_at) WHERE state = 'open' AND due_at IS NOT NULL;
CREATE INDEX holds_announce ON holds (announce_at) WHERE announce_at IS NOT NULL;

-- Decisions about holds: people of of_people were decided. Rows are never changed; one that overrides an earlier decision
-- is another row.
CREATE TABLE hold_decisions (
    hold_id    INTEGER NOT NULL,
    number     INTEGER NOT NULL,
    decided_at INTEGER NOT NULL,
    decided_by TEXT NOT NULL,
    decision   TEXT NOT NULL CHECK (decision IN ('approved', 'rejected')),
    reason     TEXT,
    people     INTEGER NOT NULL,
    of_people  INTEGER NOT NULL,
    overrides  INTEGER NOT NULL CHECK (overrides IN (0, 1)),
    PRIMARY KEY (hold_id, number)
) STRICT, WITHOUT ROWID;

-- Whom a hold concerns. While a row is open, approved or rejected the user keeps what is shown: lost, roles and said are
-- what the directory wants, and by which word. done came true, ended was overtaken by what the directory said later.
CREATE TABLE held_users (
    tenant_id       TEXT NOT NULL,
    user_id         TEXT NOT NULL,
    hold_id         INTEGER NOT NULL,
    lost            TEXT NOT NULL,
    roles           TEXT NOT NULL,
    cause_digest INTEGER NOT NULL,
    state           TEXT NOT NULL CHECK (state IN ('open', 'approved', 'rejected', 'done', 'ended')),
    held_at         INTEGER NOT NULL,
    -- the newest decision about this loss (hold_decisions.number); NULL without one
    decision_number INTEGER,
    PRIMARY KEY (tenant_id, user_id, hold_id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX held_users_live ON held_users (tenant_id, user_id) WHERE state IN ('open', 'approved', 'rejected');
CREATE INDEX held_users_hold ON held_users (hold_id, state);
CREATE INDEX held_users_approved ON held_users (hold_id) WHERE state = 'approved';

-- Holder records: people who hold a protected role, or held it since it is protected, with the broker's time of the
-- loss. While nobody holds the role, the newest loss is not applied (kept). released: an operator applied the loss.
CREATE TABLE role_holders (
    tenant_id  TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    role_slug  TEXT NOT NULL,
    lost_at    INTEGER,
    lost_event TEXT,
    retained   INTEGER NOT NULL CHECK (retained IN (0, 1)),
    released   INTEGER NOT NULL CHECK (released IN (0, 1)),
    -- of a loss: the directory asks for the end of access, too
    ends_access INTEGER NOT NULL CHECK (ends_access IN (0, 1)),
    PRIMARY KEY (tenant_id, user_id, role_slug)
) STRICT, WITHOUT ROWID;
CREATE INDEX role_holders_role ON role_holders (tenant_id, role_slug, lost_at);

-- Role slugs that facts under a claim have named. Table roles lists them.
CREATE TABLE role_mentions (
    claim_id INTEGER NOT NULL,
    slug     TEXT    NOT NULL,
    inbox_id INTEGER NOT NULL,
    PRIMARY KEY (claim_id, slug)
) STRICT, WITHOUT ROWID;

CREATE TABLE tenants (
    id         TEXT PRIMARY KEY,
    name       TEXT,
    created_at TEXT,
    updated_at TEXT,
    deleted_at TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE directories (
    tenant_id  TEXT NOT NULL,
    id         TEXT NOT NULL,
    name       TEXT,
    type       TEXT,
    state      TEXT NOT NULL,
    created_at TEXT,
    updated_at TEXT,
    deleted_at TEXT,
    PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE users (
    tenant_id         TEXT    NOT NULL,
    id                TEXT    NOT NULL,
    person_id         TEXT    NOT NULL,
    directory_id      TEXT    NOT NULL,
    idp_id            TEXT,
    email             TEXT,
    -- the address with its ASCII letters in lower case. Addresses are compared by it
    email_key         TEXT,
    username          TEXT,
    first_name        TEXT,
    last_name         TEXT,
    name              TEXT,
    job_title         TEXT,
    status            TEXT    NOT NULL CHECK (status IN ('active', 'inactive')),
    custom_attributes TEXT    NOT NULL,
    access_epoch      INTEGER NOT NULL,
    deprovisioned_at  TEXT,
    created_at        TEXT    NOT NULL,
    updated_at        TEXT    NOT NULL,
    -- rosterd's own: the role slugs of the latest fact, and the digest of the content of this row
    role_slugs        TEXT    NOT NULL,
    digest            INTEGER NOT NULL,
    -- the latest fact about a former bearer of the id: earlier memberships belong to that person
    former_at         INTEGER,
    former_event      TEXT,
    PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;
-- It contains status, because SQLite would otherwise read all rows of a tenant to find out whether a person is active.
CREATE INDEX users_person ON users (tenant_id, person_id, status);
CREATE INDEX users_email ON users (email_key, tenant_id);
-- Finds users with the same idp_id, in other directories too.
CREATE INDEX users_idp_id ON users (idp_id, tenant_id, directory_id);

CREATE TABLE groups (
    tenant_id    TEXT    NOT NULL,
    id           TEXT    NOT NULL,
    directory_id TEXT    NOT NULL,
    idp_id       TEXT,
    name         TEXT    NOT NULL,
    created_at   TEXT    NOT NULL,
    updated_at   TEXT    NOT NULL,
    digest       INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE roles (
    tenant_id TEXT NOT NULL,
    slug      TEXT NOT NULL,
    name      TEXT NOT NULL,
    PRIMARY KEY (tenant_id, slug)
) STRICT, WITHOUT ROWID;

CREATE TABLE user_roles (
    tenant_id  TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    role_slug  TEXT NOT NULL,
    granted_by TEXT NOT NULL,
    granted_at TEXT NOT NULL,
    PRIMARY KEY (tenant_id, user_id, role_slug)
) STRICT, WITHOUT ROWID;

-- A user is a member if the newest fact is an addition, the group exists and the user is active. The inner select
-- matters only if the events of one directory claim two organizations. A group that was created again begins empty:
-- facts from before its newest deletion do not count.
CREATE VIEW group_members AS
SELECT DISTINCT c.tenant_id, m.group_id, m.user_id
FROM memberships m
JOIN claims c ON c.id = m.claim_id
JOIN users u ON u.tenant_id = c.tenant_id AND u.id = m.user_id AND u.status = 'active'
JOIN groups g ON g.tenant_id = c.tenant_id AND g.id = m.group_id
WHERE m.added = 1
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
SELECT e.tenant_id, e.user_id, 'held' AS reason, strftime('%Y-%m-%dT%H:%M:%S', e.held_at / 1000000, 'unixepoch') || printf('.%06dZ', e.held_at % 1000000) AS since, e.hold_id, NULL AS role_slug
FROM held_users e
WHERE e.state IN ('open', 'approved', 'rejected')
UNION ALL
SELECT h.tenant_id, h.user_id, 'last_holder' AS reason, strftime('%Y-%m-%dT%H:%M:%S', h.lost_at / 1000000, 'unixepoch') || printf('.%06dZ', h.lost_at % 1000000) AS since, NULL AS hold_id, h.role_slug
FROM role_holders h
WHERE h.retained = 1;

-- The change feed: a record for each row of the tables above that appears, changes or disappears, written at the end of
-- the transaction. Only an erasure changes records, and only retention deletes them, from the beginning.
CREATE TABLE changes (
    seq       INTEGER PRIMARY KEY,
    at        TEXT    NOT NULL,
    tenant_id TEXT    NOT NULL,
    kind      TEXT    NOT NULL,
    -- the key of the row without the tenant, the other columns before and after, and why
    subject   TEXT    NOT NULL,
    before    TEXT,
    after     TEXT,
    cause     TEXT    NOT NULL
) STRICT;

-- The ends of the change feed, one row. The transaction that appends records locks it last, so numbers have no gaps, and
-- nobody sees a record before all earlier ones.
CREATE TABLE changes_head (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    seq       INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,
    at        TEXT    NOT NULL
) STRICT;

-- Programs that read the change feed, each with the last record that it has processed. Records wait for them.
CREATE TABLE consumers (
    name         TEXT    PRIMARY KEY,
    seq          INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    confirmed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Addresses of the application to which rosterd posts the records of the feed. All records up to settled_seq are settled, or
-- are rows of endpoint_waiting. A process that posts has a lease, and writes only while fence (which
-- grows with each lease) and revision (which grows with each change by an operator) have the numbers that it has read.
CREATE TABLE endpoints (
    id              TEXT    PRIMARY KEY,
    name            TEXT    NOT NULL,
    url             TEXT    NOT NULL,
    tenant_id       TEXT,
    kinds           TEXT,
    allow_private   INTEGER NOT NULL,
    secret          TEXT    NOT NULL,
    previous_secret TEXT,
    previous_until  INTEGER,
    settled_seq     INTEGER NOT NULL,
    state           TEXT    NOT NULL,
    reason          TEXT,
    failures        INTEGER NOT NULL,
    open_until      INTEGER,
    revision        INTEGER NOT NULL,
    fence           INTEGER NOT NULL,
    lease_until     INTEGER NOT NULL,
    delivered       INTEGER NOT NULL,
    given_up        INTEGER NOT NULL,
    lost            INTEGER NOT NULL,
    last_success_at INTEGER,
    last_failure_at INTEGER,
    last_error      TEXT,
    created_by      TEXT    NOT NULL,
    created_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Records that an endpoint did not take, and later records of the same lane, which wait behind them.
CREATE TABLE endpoint_waiting (
    endpoint_id TEXT    NOT NULL,
    seq         INTEGER NOT NULL,
    lane        TEXT    NOT NULL,
    attempts    INTEGER NOT NULL,
    since       INTEGER,
    due_at      INTEGER,
    PRIMARY KEY (endpoint_id, seq)
) STRICT, WITHOUT ROWID;

-- Failed attempts, and the successes that ended them.
CREATE TABLE endpoint_attempts (
    endpoint_id TEXT    NOT NULL,
    at          INTEGER NOT NULL,
    seq         INTEGER NOT NULL,
    outcome     TEXT    NOT NULL,
    duration_ms INTEGER NOT NULL,
    PRIMARY KEY (endpoint_id, at, seq)
) STRICT, WITHOUT ROWID;

-- How a login becomes a row: one row for each key that a login may bring. For idp_id and email_key, several accounts may
-- have the key: an active one answers, and of several the newest; if they belong to different persons, nobody may sign in.
-- + keeps SQLite from reading all users of a tenant, where it has the index of the key.
CREATE VIEW sign_in AS
SELECT u.tenant_id, 'user_id' AS found_by, CAST(NULL AS TEXT) AS directory_id, CAST(NULL AS TEXT) AS idp_id, CAST(NULL AS TEXT) AS email_key,
       u.id AS user_id, u.person_id, u.status, u.status = 'active' AS may_sign_in,
       CASE WHEN u.status = 'active' THEN 'active' WHEN t.deleted_at IS NOT NULL THEN 'tenant_deleted'
            WHEN d.deleted_at IS NOT NULL THEN 'directory_deleted' ELSE 'inactive' END AS reason,
       u.access_epoch
FROM users u
LEFT JOIN tenants t ON t.id = u.tenant_id
LEFT JOIN directories d ON d.tenant_id = u.tenant_id AND d.id = u.directory_id
UNION ALL
SELECT k.tenant_id, 'idp_id', k.directory_id, k.idp_id, CAST(NULL AS TEXT),
       CASE WHEN k.ambiguous THEN NULL ELSE k.id END,
       CASE WHEN k.ambiguous THEN NULL ELSE k.person_id END,
       CASE WHEN k.ambiguous THEN NULL ELSE k.status END,
       k.status = 'active' AND NOT k.ambiguous,
       CASE WHEN k.ambiguous THEN 'idp_id_is_ambiguous' WHEN k.status = 'active' THEN 'active'
            WHEN t.deleted_at IS NOT NULL THEN 'tenant_deleted' WHEN d.deleted_at IS NOT NULL THEN 'directory_deleted'
            ELSE 'inactive' END,
       CASE WHEN k.ambiguous THEN NULL ELSE k.access_epoch END
FROM (
    SELECT +u.tenant_id AS tenant_id, u.directory_id, u.idp_id, u.email_key, u.id, u.person_id, u.status, u.access_epoch,
           u.status = 'active' AND EXISTS (
               SELECT 1 FROM users o
               WHERE +o.tenant_id = u.tenant_id AND o.directory_id = u.directory_id AND o.idp_id = u.idp_id
                 AND o.status = 'active' AND o.person_id <> u.person_id) AS ambiguous
    FROM users u
    WHERE u.idp_id <> '' AND NOT EXISTS (
        SELECT 1 FROM users o
        WHERE +o.tenant_id = u.tenant_id AND o.directory_id = u.directory_id AND o.idp_id = u.idp_id
          AND (o.status < u.status OR (o.status = u.status AND (o.created_at, o.id) > (u.created_at, u.id))))
) k
LEFT JOIN tenants t ON t.id = k.tenant_id
LEFT JOIN directories d ON d.tenant_id = k.tenant_id AND d.id = k.directory_id
UNION ALL
SELECT k.tenant_id, 'email_key', CAST(NULL AS TEXT), CAST(NULL AS TEXT), k.email_key,
       CASE WHEN k.ambiguous THEN NULL ELSE k.id END,
       CASE WHEN k.ambiguous THEN NULL ELSE k.person_id END,
       CASE WHEN k.ambiguous THEN NULL ELSE k.status END,
       k.status = 'active' AND NOT k.ambiguous,
       CASE WHEN k.ambiguous THEN 'address_is_ambiguous' WHEN k.status = 'active' THEN 'active'
            WHEN t.deleted_at IS NOT NULL THEN 'tenant_deleted' WHEN d.deleted_at IS NOT NULL THEN 'directory_deleted'
            ELSE 'inactive' END,
       CASE WHEN k.ambiguous THEN NULL ELSE k.access_epoch END
FROM (
    SELECT +u.tenant_id AS tenant_id, u.directory_id, u.idp_id, u.email_key, u.id, u.person_id, u.status, u.access_epoch,
           u.status = 'active' AND EXISTS (
               SELECT 1 FROM users o
               WHERE +o.tenant_id = u.tenant_id AND o.email_key = u.email_key
                 AND o.status = 'active' AND o.person_id <> u.person_id) AS ambiguous
    FROM users u
    WHERE u.email_key <> '' AND NOT EXISTS (
        SELECT 1 FROM users o
        WHERE +o.tenant_id = u.tenant_id AND o.email_key = u.email_key
          AND (o.status < u.status OR (o.status = u.status AND (o.created_at, o.id) > (u.created_at, u.id))))
) k
LEFT JOIN tenants t ON t.id = k.tenant_id
LEFT JOIN directories d ON d.tenant_id = k.tenant_id AND d.id = k.directory_id;

-- The version of what the application reads. A migration that changes it replaces this view.
CREATE VIEW schema_version AS SELECT 1 AS major, 0 AS minor;

-- Notices: one row for each, written in the transaction of the change.
CREATE TABLE outbox (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id  TEXT    NOT NULL,
    kind       TEXT    NOT NULL,
    -- notices of one tenant with the same bundle may share a mail ('' = the operator)
    bundle     TEXT    NOT NULL,
    -- '' if it is about no person
    user_id    TEXT    NOT NULL,
    person_id  TEXT    NOT NULL,
    payload    TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    -- the mail that contains it; notified_at is the time when it was sent, and remains NULL for a notice that is no longer
    -- true
    mail_id    INTEGER,
    notified_at    INTEGER,
    -- the id belongs to another person now; person_id remains the person of the notice
    former     INTEGER NOT NULL DEFAULT 0 CHECK (former IN (0, 1))
) STRICT;
CREATE INDEX outbox_waiting ON outbox (tenant_id, bundle, created_at) WHERE mail_id IS NULL;
CREATE INDEX outbox_mail ON outbox (mail_id) WHERE mail_id IS NOT NULL;
CREATE INDEX outbox_person ON outbox (tenant_id, person_id);
CREATE INDEX outbox_user ON outbox (tenant_id, user_id);

-- Mails: bundles of notices. The Message-ID is the same in all attempts, so that a repetition is recognised.
CREATE TABLE mails (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id    TEXT    NOT NULL,
    bundle       TEXT    NOT NULL,
    message_id   TEXT    NOT NULL UNIQUE,
    state        TEXT    NOT NULL CHECK (state IN ('waiting', 'sent', 'needless', 'dead')),
    attempts     INTEGER NOT NULL,
    due_at       INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    finished_at  INTEGER,
    last_error   TEXT,
    -- recipients that the mail server refused for ever, and the reason; whether the mail went to mail.fallback then
    refused      INTEGER NOT NULL DEFAULT 0,
    refusal      TEXT,
    fell_back    INTEGER NOT NULL DEFAULT 0 CHECK (fell_back IN (0, 1)),
    -- the server's answer for each recipient, by digest of the address, while some have none
    settled      TEXT
) STRICT;
CREATE INDEX mails_due ON mails (due_at) WHERE state = 'waiting';
-- Finds the latest mails of a tenant, for the limit of each hour.
CREATE INDEX mails_recent ON mails (tenant_id, created_at);

-- The time of a directory's last event, with a precision of an hour, and of the notice about its silence since then.
CREATE TABLE directory_activity (
    directory_id TEXT    PRIMARY KEY,
    last_event_at     INTEGER NOT NULL,
    notified_at      INTEGER,
    -- when its first synchronization ends, until that is reported
    first_sync_ends_at INTEGER
) STRICT, WITHOUT ROWID;

-- Events that were refused because their directory belongs to another organization, counted since the operator was last
-- notified of that directory.
CREATE TABLE refused_claims (
    directory_id    TEXT    PRIMARY KEY,
    organization_id TEXT    NOT NULL,
    events          INTEGER NOT NULL,
    leavers         INTEGER NOT NULL,
    inbox_id        INTEGER NOT NULL,
    first_at        INTEGER NOT NULL,
    notified_at     INTEGER
) STRICT, WITHOUT ROWID;

-- Addresses that operators added to the recipients of a tenant's mails. address_key is the address with its ASCII letters in
-- lower case; id is a random name for the audit trail, which must not contain the address.
CREATE TABLE recipients (
    tenant_id   TEXT    NOT NULL,
    address_key TEXT    NOT NULL,
    address     TEXT    NOT NULL,
    id          TEXT    NOT NULL,
    added_by    TEXT    NOT NULL,
    added_at    INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, address_key)
) STRICT, WITHOUT ROWID;

-- The newest report period of each tenant that has begun, by its first instant.
CREATE TABLE report_periods (
    tenant_id TEXT    PRIMARY KEY,
    period    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The audit trail: one entry for each change, written in the transaction of the change, in a chain for each tenant (''
-- = none). `hash` covers the entry before and all columns except personal and salt. It covers the commitment instead,
-- so the chain remains valid when a person is erased. Rows are never deleted.
CREATE TABLE audit (
    tenant_id   TEXT    NOT NULL,
    seq         INTEGER NOT NULL,
    kind        TEXT    NOT NULL,
    subject     TEXT    NOT NULL,
    change      TEXT    NOT NULL,
    -- names, addresses, attributes; erased if NULL with a commitment
    personal    TEXT,
    salt        BLOB,
    commitment  BLOB,
    actor       TEXT    NOT NULL,
    inbox_id    INTEGER,
    received_at INTEGER,
    stated_at     INTEGER,
    applied_at  INTEGER NOT NULL,
    hash        BLOB    NOT NULL,
    PRIMARY KEY (tenant_id, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_subject ON audit (tenant_id, subject);

-- The last entry of each chain, so that missing entries at its end are found.
CREATE TABLE audit_heads (
    tenant_id TEXT    PRIMARY KEY,
    seq       INTEGER NOT NULL,
    hash      BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

-- The position up to which the broker's events are read. The transaction that stores the events moves it, and never
-- back.
CREATE TABLE event_cursors (
    source    TEXT NOT NULL PRIMARY KEY,
    -- NULL: the next read begins by time
    cursor    TEXT,
    -- the time of the event at the cursor; and the time of the last complete read, by this service's clock
    at        INTEGER NOT NULL,
    polled_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Events that were read from the API before their webhook. A row is deleted when the webhook arrives, or when it counts
-- as missed.
CREATE TABLE polled_events (
    event_key TEXT PRIMARY KEY,
    seen_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX polled_events_age ON polled_events (seen_at);

-- Comparisons of directories with the broker's lists, and the differences that were found (JSON).
CREATE TABLE comparisons (
    directory_id TEXT NOT NULL,
    -- by this service's clock
    checked_at   INTEGER NOT NULL,
    tenant_id    TEXT NOT NULL,
    complete     INTEGER NOT NULL CHECK (complete IN (0, 1)),
    reason       TEXT,
    -- the time at which the lists are true, by the broker's clock
    compared_at  INTEGER,
    people       INTEGER NOT NULL,
    groups       INTEGER NOT NULL,
    memberships  INTEGER NOT NULL,
    differences  INTEGER NOT NULL,
    healed       INTEGER NOT NULL,
    held         INTEGER NOT NULL,
    report       TEXT NOT NULL,
    PRIMARY KEY (directory_id, checked_at)
) STRICT, WITHOUT ROWID;

-- Tokens of SCIM clients. Only the SHA-256 of a token is stored. directory_id is '' for a token that reads a whole tenant.
-- Rows are never deleted: they say which directories are provisioned by SCIM.
CREATE TABLE scim_tokens (
    id           TEXT PRIMARY KEY,
    digest       BLOB NOT NULL UNIQUE,
    directory_id TEXT NOT NULL,
    tenant_id    TEXT NOT NULL,
    name         TEXT NOT NULL,
    created_by   TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    revoked_at   INTEGER,
    last_used_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX scim_tokens_directory ON scim_tokens (directory_id);

-- Users (kind 0) and groups (kind 1) as their identity provider wrote them by SCIM. The keys are folded for searches
-- without regard to case; a deleted resource has none, and no document.
CREATE TABLE scim_resources (
    id            TEXT PRIMARY KEY,
    directory_id  TEXT NOT NULL,
    kind          INTEGER NOT NULL,
    user_name_key TEXT,
    external_id   TEXT,
    display_key   TEXT,
    version       INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    modified_at   INTEGER NOT NULL,
    deleted       INTEGER NOT NULL CHECK (deleted IN (0, 1)),
    document      TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX scim_resources_user_name ON scim_resources (directory_id, user_name_key) WHERE user_name_key IS NOT NULL;
CREATE INDEX scim_resources_external_id ON scim_resources (directory_id, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX scim_resources_display ON scim_resources (directory_id, display_key) WHERE display_key IS NOT NULL;
CREATE INDEX scim_resources_list ON scim_resources (directory_id, kind, id) WHERE NOT deleted;

-- The members of groups as their identity provider wrote them by SCIM, also without access.
CREATE TABLE scim_members (
    group_id  TEXT NOT NULL,
    member_id TEXT NOT NULL,
    PRIMARY KEY (group_id, member_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX scim_members_member ON scim_members (member_id);
