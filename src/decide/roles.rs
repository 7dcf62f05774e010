//! Roles are derived, never patched: from what the directory says of a user now, whatever was granted before.

use std::collections::BTreeSet;

/// The rule that grants in the built-in mapping: the broker's role slugs are the application's.
pub const PASS_THROUGH: &str = "broker role";

/// What a derivation may look at.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    pub role_slugs: &'a [String],
}

/// Pure, total, and blind to order.
pub fn derive(inputs: Inputs<'_>) -> BTreeSet<String> {
    inputs.role_slugs.iter().cloned().collect()
}
