//! The lane of a record. Records of one lane are sent one after the other. The file is pure.

use serde_json::Value;

/// The person, otherwise the group, the directory or the tenant.
pub(super) fn of(tenant_id: &str, subject: &Value) -> String {
    let named = ["user_id", "group_id", "directory_id"].iter().find_map(|name| subject.get(name)?.as_str());
    named.unwrap_or(tenant_id).to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn all_records_about_a_person_have_one_lane() {
        assert_eq!(of("org", &json!({"group_id": "g", "user_id": "u"})), "u");
        assert_eq!(of("org", &json!({"role_slug": "r", "user_id": "u"})), "u");
        assert_eq!(of("org", &json!({"group_id": "g"})), "g");
        assert_eq!(of("org", &json!({"directory_id": "d"})), "d");
        assert_eq!(of("org", &json!({"role_slug": "r"})), "org");
        assert_eq!(of("org", &json!({})), "org");
    }
}
