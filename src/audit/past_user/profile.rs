//! The department and the manager of a user, from custom attributes of different names. The file is pure.

use serde_json::Value;

use super::PastUser;

/// The extension of SCIM that has departments and managers.
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

impl PastUser {
    /// The department, if a custom attribute names it.
    pub fn department(&self) -> Option<String> {
        self.attribute(&["department_name", "department"])
    }

    /// The manager, if a custom attribute names one.
    pub fn manager(&self) -> Option<String> {
        self.attribute(&["manager_email", "manager_name", "manager"])
    }

    fn attribute(&self, names: &[&str]) -> Option<String> {
        let extension = self.profile.get(&format!("custom_attributes.{ENTERPRISE}"));
        let of = |name: &&str| {
            let own = self.profile.get(&format!("custom_attributes.{name}"));
            own.or_else(|| extension?.get(*name)).and_then(named)
        };
        names.iter().find_map(of)
    }
}

/// A text or number, or the name in an object.
fn named(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Object(object) => ["displayName", "display_name", "name", "email", "value"]
            .iter()
            .find_map(|key| named(object.get(*key)?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn department_and_manager_are_those_that_attributes_name() {
        let of = |attributes: Value| {
            let mut user = PastUser::default();
            user.fill(json!({"custom_attributes": [null, attributes]}).as_object().unwrap());
            (user.department(), user.manager())
        };
        let both = |department: &str, manager: &str| (Some(department.to_owned()), Some(manager.to_owned()));
        assert_eq!(of(json!({})), (None, None));
        assert_eq!(
            of(json!({"department_name": "IT", "manager_email": "b@x.example"})),
            both("IT", "b@x.example")
        );
        assert_eq!(of(json!({"department": 7, "manager": {"displayName": "Bo"}})), both("7", "Bo"));
        assert_eq!(
            of(json!({ENTERPRISE: {"department": "IT", "manager": {"value": "u2"}}})),
            both("IT", "u2")
        );
        assert_eq!(of(json!({"department": "", "manager": null})), (None, None));
    }
}
