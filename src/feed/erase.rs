//! Removes the personal data of a person from the records. The records keep their `seq`, and still give the tables.

use std::collections::BTreeSet;

use diesel::{
    QueryResult, QueryableByName,
    sql_types::{BigInt, Nullable, Text},
};
use serde_json::{Value, json};

use crate::{
    db::{Serialized, bulk::Rows},
    decide::profile::Profile,
};

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    seq: i64,
    #[diesel(sql_type = Nullable<Text>)]
    before: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    after: Option<String>,
}

/// Rewrites the records about these users of a tenant and about their roles. Returns the number of records.
pub fn erase(conn: &mut Serialized<'_>, tenant_id: &str, user_ids: &[String]) -> QueryResult<usize> {
    let ids: BTreeSet<&String> = user_ids.iter().collect();
    let ids: Vec<&String> = ids.into_iter().collect();
    let mut found: Vec<Row> = Rows::of(&ids).text("tenant_id", |_| tenant_id).text("user_id", |id| id).load(
        conn,
        "SELECT c.seq, CAST(c.before AS text) AS before, CAST(c.after AS text) AS after FROM {rows} \
         JOIN changes c ON c.tenant_id = r.tenant_id AND c.subject ->> 'user_id' = r.user_id \
         WHERE c.kind LIKE 'user.%' OR c.kind LIKE 'role.%'",
    )?;
    for row in &mut found {
        row.before = row.before.take().map(|text| without_person(&text));
        row.after = row.after.take().map(|text| without_person(&text));
    }
    Rows::of(&found)
        .integer("seq", |row| row.seq)
        .optional_json("was", |row| row.before.as_deref())
        .optional_json("now", |row| row.after.as_deref())
        .execute(
            conn,
            "UPDATE changes SET before = r.was, after = r.now FROM {rows} WHERE changes.seq = r.seq",
        )
}

/// The columns of a row without the person. The reason of a role may contain an attribute.
pub fn without_person(row: &str) -> String {
    let Ok(Value::Object(mut columns)) = serde_json::from_str(row) else { return "{}".to_owned() };
    let texts = Profile::COLUMNS.iter().map(|column| (column.name, Value::Null));
    let others =
        [("email_key", Value::Null), ("custom_attributes", json!({})), ("granted_by", json!("erased"))];
    for (name, empty) in texts.chain(others) {
        if let Some(value) = columns.get_mut(name) {
            *value = empty;
        }
    }
    Value::Object(columns).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_status_and_times_stay_and_the_person_goes() {
        let row = json!({
            "person_id": "p", "directory_id": "d", "idp_id": "00u1", "email": "Ada@acme.example", "email_key": "ada@acme.example",
            "name": "Ada", "status": "inactive", "custom_attributes": {"cost_center": 7}, "access_epoch": 2,
        });
        let erased: Value = serde_json::from_str(&without_person(&row.to_string())).unwrap();
        assert_eq!(
            erased,
            json!({
                "person_id": "p", "directory_id": "d", "idp_id": null, "email": null, "email_key": null,
                "name": null, "status": "inactive", "custom_attributes": {}, "access_epoch": 2,
            })
        );
        let role = without_person(r#"{"granted_by":"attribute department = Sales","granted_at":"t"}"#);
        assert_eq!(role, r#"{"granted_at":"t","granted_by":"erased"}"#);
    }
}
