//! rosterd's internal tables. This file is written manually, because diesel would print a different one for each database.
//! A test selects each column of each table on both. `users` and other tables of the application with native types are not
//! here: `bulk` writes them.

use diesel::{allow_tables_to_appear_in_same_query, table};

table! {
    properties (name) {
        name -> Text,
        value -> Text,
    }
}

table! {
    inbox (id) {
        id -> BigInt,
        source -> Text,
        event_key -> Text,
        kind -> Text,
        disposition -> SmallInt,
        received_at -> BigInt,
        body -> Binary,
    }
}

table! {
    inbox_queue (inbox_id) {
        inbox_id -> BigInt,
        bytes -> Integer,
        attempts -> SmallInt,
        due_at -> BigInt,
    }
}

table! {
    dead_letters (inbox_id) {
        inbox_id -> BigInt,
        reason -> Text,
        detail -> Text,
        attempts -> SmallInt,
        died_at -> BigInt,
        discarded_at -> Nullable<BigInt>,
        discard_reason -> Nullable<Text>,
        directory_id -> Nullable<Text>,
        organization_id -> Nullable<Text>,
        retry_at -> Nullable<BigInt>,
    }
}

table! {
    seen_ids (source, digest) {
        source -> Text,
        digest -> Binary,
        deleted_at -> BigInt,
    }
}

table! {
    claims (id) {
        id -> BigInt,
        directory_id -> Text,
        organization_id -> Text,
        tenure -> Integer,
        rank -> SmallInt,
        first_at -> BigInt,
        first_event -> Text,
        first_inbox_id -> BigInt,
        revealed_by -> Nullable<BigInt>,
        tenant_id -> Nullable<Text>,
    }
}

table! {
    directory_moves (directory_id, tenure) {
        directory_id -> Text,
        tenure -> Integer,
        from_organization -> Text,
        to_organization -> Text,
        until_inbox_id -> BigInt,
        moved_at -> BigInt,
        moved_by -> Text,
        reason -> Text,
    }
}

table! {
    facts (id, kind, claim_id) {
        id -> Text,
        kind -> SmallInt,
        claim_id -> BigInt,
        at -> BigInt,
        emitted -> BigInt,
        event -> Text,
        revealed_by -> Nullable<BigInt>,
        live -> Bool,
        ended_at -> Nullable<BigInt>,
        ended_event -> Nullable<Text>,
        ended_by -> Nullable<BigInt>,
        bearers -> Nullable<Text>,
        deletion -> Nullable<Text>,
        digest -> BigInt,
        inbox_id -> BigInt,
    }
}

table! {
    memberships (group_id, user_id, claim_id) {
        group_id -> Text,
        user_id -> Text,
        claim_id -> BigInt,
        at -> BigInt,
        event -> Text,
        added -> Bool,
        inbox_id -> BigInt,
    }
}

table! {
    recompute_jobs (directory_id, group_id) {
        directory_id -> Text,
        group_id -> Text,
        id_after -> Text,
        kind_after -> SmallInt,
        rank -> SmallInt,
        failed_at -> BigInt,
    }
}

table! {
    refused (kind, id) {
        kind -> SmallInt,
        id -> Text,
        owner -> Text,
        group_id -> Text,
        rank -> SmallInt,
        detail -> Text,
        attempts -> SmallInt,
        since -> BigInt,
        due_at -> BigInt,
    }
}

table! {
    mappings (version) {
        version -> BigInt,
        document -> Text,
        applied_by -> Text,
        applied_at -> BigInt,
    }
}

table! {
    role_holders (tenant_id, user_id, role_slug) {
        tenant_id -> Text,
        user_id -> Text,
        role_slug -> Text,
        lost_at -> Nullable<BigInt>,
        lost_event -> Nullable<Text>,
        retained -> Bool,
        released -> Bool,
        ends_access -> Bool,
    }
}

table! {
    manual_grants (tenant_id, user_id, person_id, role_slug) {
        tenant_id -> Text,
        user_id -> Text,
        person_id -> Text,
        role_slug -> Text,
        reason -> Text,
        granted_by -> Text,
        granted_at -> BigInt,
    }
}

table! {
    guard_counts (directory_id, minute) {
        directory_id -> Text,
        minute -> BigInt,
        losses -> BigInt,
        applied -> BigInt,
        departures -> BigInt,
    }
}

table! {
    holds (id) {
        id -> BigInt,
        tenant_id -> Text,
        directory_id -> Text,
        cause -> Text,
        state -> Text,
        opened_at -> BigInt,
        due_at -> Nullable<BigInt>,
        applied_before -> BigInt,
        active_before -> BigInt,
        announced_people -> BigInt,
        announcements -> BigInt,
        announce_at -> Nullable<BigInt>,
        growing_since -> Nullable<BigInt>,
    }
}

table! {
    hold_decisions (hold_id, number) {
        hold_id -> BigInt,
        number -> BigInt,
        decided_at -> BigInt,
        decided_by -> Text,
        decision -> Text,
        reason -> Nullable<Text>,
        people -> BigInt,
        of_people -> BigInt,
        overrides -> Bool,
    }
}

table! {
    held_users (tenant_id, user_id, hold_id) {
        tenant_id -> Text,
        user_id -> Text,
        hold_id -> BigInt,
        lost -> Text,
        roles -> Text,
        cause_digest -> BigInt,
        state -> Text,
        held_at -> BigInt,
        decision_number -> Nullable<BigInt>,
    }
}

table! {
    tenants (id) {
        id -> Text,
        name -> Text,
    }
}

table! {
    roles (tenant_id, slug) {
        tenant_id -> Text,
        slug -> Text,
        name -> Text,
    }
}

table! {
    role_mentions (claim_id, slug) {
        claim_id -> BigInt,
        slug -> Text,
        inbox_id -> BigInt,
    }
}

table! {
    outbox (id) {
        id -> BigInt,
        tenant_id -> Text,
        kind -> Text,
        bundle -> Text,
        user_id -> Text,
        person_id -> Text,
        payload -> Text,
        created_at -> BigInt,
        mail_id -> Nullable<BigInt>,
        notified_at -> Nullable<BigInt>,
        former -> Bool,
    }
}

table! {
    mails (id) {
        id -> BigInt,
        tenant_id -> Text,
        bundle -> Text,
        message_id -> Text,
        state -> Text,
        attempts -> SmallInt,
        due_at -> BigInt,
        created_at -> BigInt,
        finished_at -> Nullable<BigInt>,
        last_error -> Nullable<Text>,
        refused -> Integer,
        refusal -> Nullable<Text>,
        fell_back -> Bool,
        settled -> Nullable<Text>,
    }
}

table! {
    refused_claims (directory_id) {
        directory_id -> Text,
        organization_id -> Text,
        events -> BigInt,
        leavers -> BigInt,
        inbox_id -> BigInt,
        first_at -> BigInt,
        notified_at -> Nullable<BigInt>,
    }
}

table! {
    directory_activity (directory_id) {
        directory_id -> Text,
        last_event_at -> BigInt,
        notified_at -> Nullable<BigInt>,
        first_sync_ends_at -> Nullable<BigInt>,
    }
}

table! {
    event_cursors (source) {
        source -> Text,
        cursor -> Nullable<Text>,
        at -> BigInt,
        polled_at -> BigInt,
    }
}

table! {
    polled_events (event_key) {
        event_key -> Text,
        seen_at -> BigInt,
    }
}

table! {
    comparisons (directory_id, checked_at) {
        directory_id -> Text,
        checked_at -> BigInt,
        tenant_id -> Text,
        complete -> Bool,
        reason -> Nullable<Text>,
        compared_at -> Nullable<BigInt>,
        people -> BigInt,
        groups -> BigInt,
        memberships -> BigInt,
        differences -> BigInt,
        healed -> BigInt,
        held -> BigInt,
        report -> Text,
    }
}

table! {
    recipients (tenant_id, address_key) {
        tenant_id -> Text,
        address_key -> Text,
        address -> Text,
        id -> Text,
        added_by -> Text,
        added_at -> BigInt,
    }
}

table! {
    report_periods (tenant_id) {
        tenant_id -> Text,
        period -> BigInt,
    }
}

table! {
    audit (tenant_id, seq) {
        tenant_id -> Text,
        seq -> BigInt,
        kind -> Text,
        subject -> Text,
        change -> Text,
        personal -> Nullable<Text>,
        salt -> Nullable<Binary>,
        commitment -> Nullable<Binary>,
        actor -> Text,
        inbox_id -> Nullable<BigInt>,
        received_at -> Nullable<BigInt>,
        stated_at -> Nullable<BigInt>,
        applied_at -> BigInt,
        hash -> Binary,
    }
}

table! {
    audit_heads (tenant_id) {
        tenant_id -> Text,
        seq -> BigInt,
        hash -> Binary,
    }
}

table! {
    consumers (name) {
        name -> Text,
        seq -> BigInt,
        created_at -> BigInt,
        confirmed_at -> BigInt,
    }
}

table! {
    endpoints (id) {
        id -> Text,
        name -> Text,
        url -> Text,
        tenant_id -> Nullable<Text>,
        kinds -> Nullable<Text>,
        allow_private -> Bool,
        secret -> Text,
        previous_secret -> Nullable<Text>,
        previous_until -> Nullable<BigInt>,
        settled_seq -> BigInt,
        state -> Text,
        reason -> Nullable<Text>,
        failures -> BigInt,
        open_until -> Nullable<BigInt>,
        revision -> BigInt,
        fence -> BigInt,
        lease_until -> BigInt,
        delivered -> BigInt,
        given_up -> BigInt,
        lost -> BigInt,
        last_success_at -> Nullable<BigInt>,
        last_failure_at -> Nullable<BigInt>,
        last_error -> Nullable<Text>,
        created_by -> Text,
        created_at -> BigInt,
    }
}

table! {
    endpoint_waiting (endpoint_id, seq) {
        endpoint_id -> Text,
        seq -> BigInt,
        lane -> Text,
        attempts -> BigInt,
        since -> Nullable<BigInt>,
        due_at -> Nullable<BigInt>,
    }
}

table! {
    endpoint_attempts (endpoint_id, at, seq) {
        endpoint_id -> Text,
        at -> BigInt,
        seq -> BigInt,
        outcome -> Text,
        duration_ms -> BigInt,
    }
}

allow_tables_to_appear_in_same_query!(inbox, inbox_queue, dead_letters);
allow_tables_to_appear_in_same_query!(outbox, mails);
allow_tables_to_appear_in_same_query!(role_mentions, claims);
allow_tables_to_appear_in_same_query!(holds, held_users, hold_decisions);

#[cfg(test)]
mod tests {
    use diesel::{QueryDsl, RunQueryDsl};

    use super::*;
    use crate::{db::DbError, outbox::testing::each_database};

    /// Selects each column of each table, and counts the tables.
    macro_rules! selected {
        ($database:ident, $($name:ident)*) => {{
            $(
                let selected = $database.read::<_, DbError>(|conn| {
                    Ok($name::table.select($name::all_columns).limit(1).execute(conn)?)
                });
                assert!(selected.is_ok(), "{}: {selected:?}", stringify!($name));
            )*
            [$(stringify!($name)),*].len()
        }};
    }

    #[test]
    fn every_column_of_every_table_is_there_on_both_databases() {
        each_database(|database| {
            let tables = selected!(
                database,
                properties inbox inbox_queue dead_letters seen_ids claims directory_moves facts memberships recompute_jobs refused mappings role_holders manual_grants guard_counts holds hold_decisions held_users tenants roles role_mentions outbox mails directory_activity refused_claims event_cursors polled_events comparisons recipients report_periods audit audit_heads consumers endpoints endpoint_waiting endpoint_attempts
            );
            assert_eq!(tables, include_str!("schema.rs").matches("\ntable! {").count());
        });
    }
}
