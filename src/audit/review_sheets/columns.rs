//! The columns of the tables: names of keys of the JSON form.

pub(super) const UNDER_REVIEW: [&str; 11] = [
    "user_id",
    "name",
    "email",
    "reason",
    "directory_wants",
    "since",
    "hold_id",
    "decision",
    "decided_at",
    "decided_by",
    "decision_reason",
];
pub(super) const CHANGE: [&str; 6] = ["user_id", "name", "email", "change", "roles_gained", "roles_lost"];
pub(super) const DIRECTORY: [&str; 8] = [
    "directory_id",
    "name",
    "people",
    "compared_at",
    "comparison_complete",
    "people_in_directory",
    "differences",
    "differences_held",
];
pub(super) const PERSON: [&str; 13] = [
    "user_id",
    "person_id",
    "name",
    "email",
    "job_title",
    "directory_id",
    "department",
    "manager",
    "access_since",
    "privileged",
    "manual",
    "erased",
    "repaired",
];
pub(super) const ROLE: [&str; 8] =
    ["role", "privileged", "manual", "granted_by", "last_holder", "because", "since", "entry"];
/// The columns of a person that each role repeats.
pub(super) const HOLDER: [&str; 6] = ["user_id", "name", "email", "directory_id", "department", "manager"];
pub(super) const MOVEMENT: [&str; 15] = [
    "user_id",
    "name",
    "email",
    "at",
    "stated_at",
    "because",
    "entry",
    "roles_gained",
    "roles_lost",
    "directory_before",
    "directory_after",
    "department_before",
    "department_after",
    "manager_before",
    "manager_after",
];
