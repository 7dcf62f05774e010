//! Delivers every event body of `tests/fixtures/workos`, signed and unchanged, and shows the tables after it.

use std::fmt::Write;

use rosterd::tables::host_tables::{DIRECTORIES, GROUP_MEMBERS, GROUPS, ROLES, TENANTS, USER_ROLES, USERS};

use crate::harness::{Backend, TestApp};

/// The beginning of a tenant: directory, one user, one group, the user in it.
const STORY: [&str; 4] =
    ["dsync.activated", "dsync.user.created", "dsync.group.created", "dsync.group.user_added"];

fn files() -> Vec<String> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/workos");
    let mut names: Vec<String> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(".json").map(str::to_owned))
        .filter(|name| !name.starts_with("api."))
        .collect();
    names.sort();
    names
}

fn body(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/fixtures/workos/{name}.json", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn deliver(app: &TestApp, name: &str) -> String {
    let status = app.send(body(name)).json()["status"].as_str().unwrap().to_owned();
    app.drain();
    status
}

/// The published tables in a short form. Invented ids are cut to their last part.
fn seen(app: &TestApp) -> String {
    let mut seen = String::new();
    for (label, rows) in [
        ("tenants", app.brief(TENANTS, &["id", "name"])),
        ("directories", app.brief(DIRECTORIES, &["id", "state"])),
        ("users", app.brief(USERS, &["id", "name", "status"])),
        ("groups", app.brief(GROUPS, &["name"])),
        ("members", app.brief(GROUP_MEMBERS, &["group_id", "user_id"])),
        ("roles", app.brief(ROLES, &["slug"])),
        ("granted", app.brief(USER_ROLES, &["role_slug"])),
        ("notices", app.notices()),
    ] {
        if !rows.is_empty() {
            write!(seen, " {label}[{}]", rows.join(", ")).unwrap();
        }
    }
    for (long, short) in [
        ("org_01KDVN0ACME00000000000TEST", "org"),
        ("directory_01KDVN1ACME00000000000OKT", "dir"),
        ("directory_user_01KDVN2ACME0000000000USR1", "usr1"),
        ("directory_group_01KDVN3ACME00000000GRP1", "grp1"),
    ] {
        seen = seen.replace(long, short);
    }
    seen
}

/// One line for each file: its state, and the tables after it.
fn report(backend: Backend, story: &[&str]) -> String {
    let mut report = String::new();
    for name in files() {
        let app = TestApp::start(backend, |_config| {});
        for part in story {
            assert_eq!(deliver(&app, part), "accepted");
        }
        let status = deliver(&app, &name);
        let state = app.inbox().last().unwrap().1.clone();
        writeln!(report, "{name}: {status}, {state};{}", seen(&app)).unwrap();
    }
    report
}

#[test]
fn each_fixture_alone_leaves_the_tables_as_stated() {
    for backend in Backend::offered() {
        insta::allow_duplicates! {
            insta::assert_snapshot!(report(backend, &[]), @r"
            connection.activated: accepted, ignored;
            connection.deactivated: accepted, ignored;
            connection.deleted: accepted, ignored;
            connection.saml_certificate_renewal_required: accepted, ignored;
            connection.saml_certificate_renewed: accepted, ignored;
            dsync.activated: accepted, applied; tenants[org null] directories[dir active]
            dsync.deactivated.legacy: accepted, ignored;
            dsync.deleted: accepted, applied;
            dsync.group.created: accepted, applied; tenants[org null] directories[dir unknown] groups[Engineering]
            dsync.group.deleted: accepted, applied;
            dsync.group.updated: accepted, applied; tenants[org null] directories[dir unknown] groups[Engineering (EMEA)]
            dsync.group.updated.renamed: accepted, applied; tenants[org null] directories[dir unknown] groups[Engineering (EMEA)]
            dsync.group.user_added: accepted, applied; tenants[org null] directories[dir unknown] users[usr1 Marcelina Davis active] groups[Engineering] members[grp1 usr1] roles[member] granted[member]
            dsync.group.user_removed: accepted, applied;
            dsync.token.created: accepted, ignored;
            dsync.token.revoked: accepted, ignored;
            dsync.user.created: accepted, applied; tenants[org null] directories[dir unknown] users[usr1 Marcelina Davis active] roles[member] granted[member]
            dsync.user.created.imported_id: accepted, applied; tenants[org null] directories[dir unknown] users[emp-4711 Marcelina Davis active] roles[member] granted[member]
            dsync.user.created.minimal_null_email: accepted, applied; tenants[org null] directories[dir unknown] users[usr1 null active]
            dsync.user.deleted: accepted, applied;
            dsync.user.updated: accepted, applied; tenants[org null] directories[dir unknown] users[usr1 Marcelina Davis-Ngo active] roles[member] granted[member]
            dsync.user.updated.attribute_role: accepted, applied; tenants[org null] directories[dir unknown] users[usr1 Marcelina Davis active] roles[member] granted[member]
            dsync.user.updated.inactive: accepted, applied; tenants[org null] directories[dir unknown] users[usr1 Marcelina Davis inactive] roles[member]
            dsync.user.updated.multiple_roles: accepted, applied; tenants[org null] directories[dir unknown] users[usr1 Marcelina Davis active] roles[admin, billing] granted[admin, billing]
            dsync.user.updated.reactivated: accepted, applied; tenants[org null] directories[dir unknown] users[usr1 Marcelina Davis active] roles[member] granted[member]
            dsync.user.updated.role_changed: accepted, applied; tenants[org null] directories[dir unknown] users[usr1 Marcelina Davis active] roles[admin] granted[admin]
            group.created: accepted, ignored;
            group.deleted: accepted, ignored;
            group.member_added: accepted, ignored;
            group.member_removed: accepted, ignored;
            group.updated: accepted, ignored;
            organization.created: accepted, applied; tenants[org Acme Inc.]
            organization.deleted: accepted, applied;
            organization.updated: accepted, applied; tenants[org Acme Inc.]
            organization_domain.created: accepted, ignored;
            organization_domain.deleted: accepted, ignored;
            organization_domain.updated: accepted, ignored;
            organization_domain.verification_failed: accepted, ignored;
            organization_domain.verified: accepted, ignored;
            organization_membership.created: accepted, ignored;
            organization_membership.deleted: accepted, ignored;
            organization_membership.updated: accepted, ignored;
            organization_role.created: accepted, ignored;
            organization_role.deleted: accepted, ignored;
            organization_role.updated: accepted, ignored;
            permission.created: accepted, ignored;
            permission.deleted: accepted, ignored;
            permission.updated: accepted, ignored;
            role.created: accepted, ignored;
            role.deleted: accepted, ignored;
            role.updated: accepted, ignored;
            unknown.event: accepted, ignored;
            user.created: accepted, ignored;
            user.deleted: accepted, ignored;
            user.updated: accepted, ignored;
            webhook_form.no_object_no_context: accepted, applied; tenants[org null] directories[dir unknown] users[usr1 Marcelina Davis active] roles[member] granted[member]
            ");
        }
    }
}

#[test]
fn each_fixture_after_a_tenants_beginning_leaves_the_tables_as_stated() {
    for backend in Backend::offered() {
        insta::allow_duplicates! {
            insta::assert_snapshot!(report(backend, &STORY), @r"
            connection.activated: accepted, ignored; tenants[org null] directories[dir active] users[usr1 Marcelina Davis active] groups[Engineering] members[grp1 usr1] roles[member] granted[member]
            connection.deactivated: accepted, ignored; tenants[org null] directories[dir active] users[usr1 Marcelina Davis active] groups[Engineering] members[grp1 usr1] roles[member] granted[member]
            connection.deleted: accepted, ignored; tenants[org null] directories[dir active] users[usr1 Marcelina Davis active] groups[Engineering] members[grp1 usr1] roles[member] granted[member]
            connection.saml_certificate_renewal_required: accepted, ignored; tenants[org null] directories[dir active] users[usr1 Marcelina Davis active] groups[Engineering] members[grp1 usr1] roles[member] granted[member]
            connection.saml_certificate_renewed: accepted, ignored; tenants[org null] directories[dir active] users[usr1 Marcelina Davis active] groups[Engineering] members[grp1 usr1] roles[member] granted[member]
            dsync.activated: duplicate, applied; tenants[org null] directories[dir active] users[usr1 Marcelina Davis active] groups[Engineering] members[grp1 usr1] roles[member] granted[member]
            dsync.deactivated.legacy: accepted, ignored; tenants[org null] directories[dir active] users[usr1 Marcelina Davis active] groups[Engineering] members[grp1 usr1] roles[member] granted[member]
            dsync.deleted: accepted, applied; tenants[org null] directories[dir deleted] users[usr1 Marcelina Davis inactive] roles[member] notices[usr1]
            dsync.group.created: duplicate, applied; tenants[org null] directories[dir active] users[usr1 Marcelina Davis active] groups[Engineering] members[grp1 usr1] roles[member] granted[member]
            dsync.group.deleted: accepted, applied; tenants[org null] directories[dir active] users[usr1 Marcelina Davis active] roles[member] granted[member]
            dsync.group.updated: accepted, applied; tenants[org null] directories[dir active] users[usr1 Marcelina Davis active] groups[Engineering (EMEA)] members[grp1 usr1] roles[member] granted[member]
            dsync.group.updated.renamed: accepted, applied; tenants[org null] directories[dir active] users[usr1 Marcelina Davis active] groups[Engineering (EMEA)] members[grp1 usr1] roles[member] granted[member]
            dsync.group.user_added: duplicate, applied; tenants[org null] directories[dir active] users[usr1 Marcelina Davis active] groups[Engineering] members[grp1 usr1] roles[member] granted[member]
            dsync.group.user_removed: accepted, applied; tenants[org null] directories[dir active] users[usr1 Marcelina Davis active] groups[Engineering] roles[member] granted[member]
            dsync.token.created: accepted, ignored; tenants[org null] directories[dir active] users[usr1 Marcelina Davis active] groups[Engineering] members[grp1 usr1] roles[member] granted[member]
            dsync.token.revoked: accepted, ignored; tenants[org null] directories[dir active] users[usr1 Marcelina Davis active] groups[Engineering] members[grp1 usr1] roles[member] granted[member]
            dsync.user.created: duplicate, applied; tenants[org null] directories[dir active] users[usr1 Marcelina Davis active] groups[Engineering] members[grp1 usr1] roles[member] granted[member]
            dsync.user.created.imported_id: accepted, applied; tenants[org null] directories[dir active] users[usr1 Marcelina Davis active, emp-4711 Marcelina Davis active] groups[Engineering] members[grp1 usr1] roles[member] granted[member, member]
            dsync.user.created.minimal_null_email: accepted, applied; tenants[org null] directories[dir active] users[usr1 Marcelina Davis active] groups[Engineering] members[grp1 usr1] roles[member] granted[member]
            dsync.user.deleted: accepted, applied; tenants[org null] directories[dir active] users[usr1 Marcelina Davis inactive] groups[Engineering] roles[member] notices[usr1]
            dsync.user.updated: accepted, applied; tenants[org null] directories[dir active] users[usr1 Marcelina Davis-Ngo active] groups[Engineering] members[grp1 usr1] roles[member] granted[member]
            dsync.user.updated.attribute_role: accepted, applied; tenants[org null] directories[dir active] users[usr1 Marcelina Davis active] groups[Engineering] members[grp1 usr1] roles[member] granted[member]
            dsync.user.updated.inactive: accepted, applied; tenants[org null] directories[dir active] users[usr1 Marcelina Davis inactive] groups[Engineering] roles[member] notices[usr1]
            dsync.user.updated.multiple_roles: accepted, applied; tenants[org null] directories[dir active] users[usr1 Marcelina Davis active] groups[Engineering] members[grp1 usr1] roles[admin, billing, member] granted[admin, billing]
            dsync.user.updated.reactivated: accepted, applied; tenants[org null] directories[dir active] users[usr1 Marcelina Davis active] groups[Engineering] members[grp1 usr1] roles[member] granted[member]
            dsync.user.updated.role_changed: accepted, applied; tenants[org null] directories[dir active] users[usr1 Marcelina Davis active] groups[Engineering] members[grp1 usr1] roles[admin, member] granted[admin]
            group.created: accepted, ignored; tenants[org null] directories[dir active] users[usr1 Marcelina Davis active] groups[Engineering] members[grp1 usr1] roles[member] granted[member]
            group.deleted: accepted, ignored; tenants[org null] directories[dir active] users[usr1 Marcelina Davis active] groups[Engineering] members[grp1 usr1] roles[member] granted[member]
            group.member_added: accepted, ignored; tenants[org null] directories[dir active] users[usr1 Marcelina Davis active] groups[Engineering] members[grp1 usr1] roles[member] granted[member]
            group.member_removed: accepted, ignored; tenants[org null] directories[dir active] users[usr1 Marcelina Davis active] groups[Engineering] members[grp1 usr1] roles[member] granted[member]
            group.updated: accepted, ignored; tenants[org null] directories[dir active] users[usr1 Marcelina Davis active] groups[Engineering] members[grp1 usr1] roles[member] granted[member]
            organization.created: accepted, applied; tenants[org Acme Inc.] directories[dir active] users[usr1 Marcelina Davis active] groups[Engineering] members[grp1 usr1] roles[member] granted[member]
            organization.deleted: accepted, applied; tenants[org Acme Inc.] directories[dir deleted] users[usr1 Marcelina Davis inactive] roles[member] notices[usr1]
            organization.updated: accepted, applied; tenants[org Acme Inc.] directories[dir active] users[usr1 Marcelina Davis active] groups[Engineering] members[grp1 usr1] roles[member] granted[member]
            organization_domain.created: accepted, ignored; tenants[org null] directories[dir active] users[usr1 Marcelina Davis active] groups[Engineering] members[grp1 usr1] roles[member] granted[member]
            organization_domain.deleted: accepted, ignored; tenants[org null] directories[dir active] users[usr1 Marcelina Davis active] groups[Engineering] members[grp1 usr1] roles[member] granted[member]
            organization_domain.updated: accepted, ignored; tenants[org null] directories[dir active] users[usr1 Marcelina Davis active] groups[Engineering] members[grp1 usr1] roles[member] granted[member]
            organization_domain.verification_failed: accepted, ignored; tenants[org null] directories[dir active] users[usr1 Marcelina Davis active] groups[Engineering] members[grp1 usr1] roles[member] granted[member]
            organization_domain.verified: accepted, ignored; tenants[org null] directories[dir active] users[usr1 Marcelina Davis active] groups[Engineering] members[grp1 usr1] roles[member] granted[member]
            organization_membership.created: accepted, ignored; tenants[org null] directories[dir active] users[usr1 Marcelina Davis active] groups[Engineering] members[grp1 usr1] roles[member] granted[member]
            organization_membership.deleted: accepted, ignored; tenants[org null] directories[dir active] users[usr1 Marcelina Davis active] groups[Engineering] members[grp1 usr1] roles[member] granted[member]
            organization_membership.updated: accepted, ignored; tenants[org null] directories[dir active] users[usr1 Marcelina Davis active] groups[Engineering] members[grp1 usr1] roles[member] granted[member]
            organization_role.created: accepted, ignored; tenants[org null] directories[dir active] users[usr1 Marcelina Davis active] groups[Engineering] members[grp1 usr1] roles[member] granted[member]
            organization_role.deleted: accepted, ignored; tenants[org null] directories[dir active] users[usr1 Marcelina Davis active] groups[Engineering] members[grp1 usr1] roles[member] granted[member]
            organization_role.updated: accepted, ignored; tenants[org null] directories[dir active] users[usr1 Marcelina Davis active] groups[Engineering] members[grp1 usr1] roles[member] granted[member]
            permission.created: accepted, ignored; tenants[org null] directories[dir active] users[usr1 Marcelina Davis active] groups[Engineering] members[grp1 usr1] roles[member] granted[member]
            permission.deleted: accepted, ignored; tenants[org null] directories[dir active] users[usr1 Marcelina Davis active] groups[Engineering] members[grp1 usr1] roles[member] granted[member]
            permission.updated: accepted, ignored; tenants[org null] directories[dir active] users[usr1 Marcelina Davis active] groups[Engineering] members[grp1 usr1] roles[member] granted[member]
            role.created: accepted, ignored; tenants[org null] directories[dir active] users[usr1 Marcelina Davis active] groups[Engineering] members[grp1 usr1] roles[member] granted[member]
            role.deleted: accepted, ignored; tenants[org null] directories[dir active] users[usr1 Marcelina Davis active] groups[Engineering] members[grp1 usr1] roles[member] granted[member]
            role.updated: accepted, ignored; tenants[org null] directories[dir active] users[usr1 Marcelina Davis active] groups[Engineering] members[grp1 usr1] roles[member] granted[member]
            unknown.event: accepted, ignored; tenants[org null] directories[dir active] users[usr1 Marcelina Davis active] groups[Engineering] members[grp1 usr1] roles[member] granted[member]
            user.created: accepted, ignored; tenants[org null] directories[dir active] users[usr1 Marcelina Davis active] groups[Engineering] members[grp1 usr1] roles[member] granted[member]
            user.deleted: accepted, ignored; tenants[org null] directories[dir active] users[usr1 Marcelina Davis active] groups[Engineering] members[grp1 usr1] roles[member] granted[member]
            user.updated: accepted, ignored; tenants[org null] directories[dir active] users[usr1 Marcelina Davis active] groups[Engineering] members[grp1 usr1] roles[member] granted[member]
            webhook_form.no_object_no_context: accepted, applied; tenants[org null] directories[dir active] users[usr1 Marcelina Davis active] groups[Engineering] members[grp1 usr1] roles[member] granted[member]
            ");
        }
    }
}
