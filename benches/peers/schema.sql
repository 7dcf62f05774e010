-- The tables that a team makes when it writes its own handler, for PostgreSQL. Times are the broker's.
-- No foreign keys: the broker promises no order, so a membership may come before its user or its group.

CREATE TABLE processed_events (
    event_id    text PRIMARY KEY,
    received_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE directories (
    id              text PRIMARY KEY,
    organization_id text NOT NULL,
    name            text NOT NULL,
    state           text NOT NULL,
    updated_at      timestamptz NOT NULL
);

CREATE TABLE users (
    id                text PRIMARY KEY,
    organization_id   text NOT NULL,
    directory_id      text NOT NULL,
    idp_id            text NOT NULL,
    email             text,
    first_name        text,
    last_name         text,
    state             text NOT NULL,
    role              text,
    custom_attributes jsonb NOT NULL DEFAULT '{}',
    updated_at        timestamptz NOT NULL
);
CREATE INDEX users_by_email ON users (organization_id, lower(email)); -- sign-in, listing of a tenant
CREATE INDEX users_by_directory ON users (directory_id);              -- dsync.deleted

CREATE TABLE groups (
    id              text PRIMARY KEY,
    organization_id text NOT NULL,
    directory_id    text NOT NULL,
    name            text NOT NULL,
    updated_at      timestamptz NOT NULL
);
CREATE INDEX groups_by_directory ON groups (directory_id);            -- dsync.deleted

CREATE TABLE group_members (
    group_id text NOT NULL,
    user_id  text NOT NULL,
    PRIMARY KEY (group_id, user_id)
);
CREATE INDEX group_members_by_user ON group_members (user_id);        -- the groups of a user

CREATE TABLE user_roles (
    user_id text NOT NULL,
    role    text NOT NULL,
    PRIMARY KEY (user_id, role)
);

-- For rust/src/bin/bare.rs alone: the raw deliveries, as a receiver that answers first and folds later keeps them.
CREATE TABLE inbox (
    event_id    text PRIMARY KEY,
    body        bytea NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now()
);
