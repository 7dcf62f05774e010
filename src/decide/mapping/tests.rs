use super::{Mapping, UnknownRoles, check};

fn faults(text: &str) -> Vec<String> {
    check(text).unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn the_compiled_in_mapping_is_one_and_lets_the_brokers_slugs_through() {
    let mapping = check(super::DEFAULT).unwrap();

    assert_eq!(mapping, Mapping::built_in());
    assert_eq!(mapping.of("org_1").unknown_roles, UnknownRoles::Create);
}

#[test]
fn a_section_replaces_its_own_settings_and_inherits_the_rest() {
    let mapping = check(
        r#"
unmapped = "no_access"
[roles.member]
[[rules]]
name = "all"
grants = ["member"]
when.role = "a"
[tenants.org_1]
unknown_roles = "ignore"
[tenants.org_1.roles.extra]
[tenants.org_2]
rules = []
"#,
    )
    .unwrap();

    let (own, other) = (mapping.of("org_1"), mapping.of("org_3"));
    assert_eq!((own.unknown_roles.clone(), &own.unmapped), (UnknownRoles::Ignore, &other.unmapped));
    assert_eq!(own.roles.keys().collect::<Vec<_>>(), ["extra", "member"]);
    assert_eq!((own.rules.len(), mapping.of("org_2").rules.len(), other.rules.len()), (1, 0, 1));
}

#[test]
fn a_path_is_keys_joined_by_dots_or_a_list_of_keys_that_may_hold_dots() {
    let rule = |path: &str| {
        format!(
            "[roles.staff]\n[[rules]]\nname = \"a\"\ngrants = [\"staff\"]\nwhen.attribute = {{ path = {path}, equals = 3.0 }}"
        )
    };

    assert!(check(&rule("\"address.city\"")).is_ok());
    assert!(
        check(&rule("[\"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User\", \"department\"]"))
            .is_ok()
    );
    assert_eq!(
        faults(&rule("[]")),
        ["5: path is the keys joined by dots, or a list of keys; none of them is empty"]
    );
    let urn = faults(&rule("\"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User.department\""));
    assert!(urn[0].contains("the dots of a URN belong to its key. Write the keys as a list"), "{urn:?}");
}

#[test]
fn every_fault_is_reported_with_its_line_and_its_remedy() {
    let text = r#"strategy = "some"
unmapped = { role = "ghost" }
never_from_directory = ["owner"]
[roles.owner]
priority = 1
[roles.admin]
priority = 1
[[rules]]
name = "a"
grants = ["owner", "emperor"]
when.role = []
[[rules]]
name = "a"
grants = []
when = { role = "x", group.name = "y" }
[[rules]]
name = "b"
grants = ["admin"]
when.all = [{ attribute = { path = "a", one_of = [] } }, { group.pattern = " x*" }]
"#;

    assert_eq!(
        faults(text),
        [
            "1: strategy is \"some\": write \"all\" or \"highest\"",
            "2: ghost is not declared (declared: admin, owner): add [roles.ghost]",
            "4: owner and admin both have priority 1: give each its own",
            "10: owner is in never_from_directory: remove it here or there",
            "10: emperor is not declared (declared: admin, owner): add [roles.emperor]",
            "11: role is a slug or a list of slugs",
            "12: rule \"a\" grants nothing: name a role in grants",
            "13: there are two rules named \"a\": give each its own",
            "15: when has exactly one of role, group, attribute, all, any, not: join several with all = [ … ] or any = [ … ]",
            "19: one_of is empty, so nothing can match: name some values",
            "19: pattern is \" x*\", which nothing can match: names are not empty and do not begin or end with a space",
        ]
    );
}

#[test]
fn an_unknown_key_is_refused_with_its_line() {
    let lines = faults("strategy = \"all\"\n[[rules]]\nname = \"a\"\ngrant = [\"x\"]\nwhen.role = \"x\"\n");

    assert_eq!(lines.len(), 1);
    assert!(
        lines[0].starts_with("4: unknown field `grant`, expected one of `name`, `grants`, `when`"),
        "{lines:?}"
    );
}

#[test]
fn the_highest_strategy_needs_a_priority_for_what_rules_grant() {
    let lines = faults(
        "strategy = \"highest\"\n[roles.a]\n[[rules]]\nname = \"a\"\ngrants = [\"a\"]\nwhen.role = \"a\"\n",
    );

    assert_eq!(lines, ["1: strategy \"highest\" needs a priority for a: write it in [roles.a]"]);
}

#[test]
fn a_tenants_ceiling_holds_for_the_rules_it_inherits() {
    let lines = faults(
        "[roles.a]\n[[rules]]\nname = \"x\"\ngrants = [\"a\"]\nwhen.role = \"a\"\n[tenants.t]\nnever_from_directory = [\"a\"]\n",
    );

    assert_eq!(lines, ["7: rule \"x\" grants a: give the tenant rules of its own"]);
}

#[test]
fn inherited_rules_must_be_compatible_with_a_tenants_own_ceiling_and_strategy() {
    let general = "unmapped = { role = \"a\" }\nunknown_roles = { map_to = \"a\" }\n[roles.a]\n[[rules]]\nname = \"x\"\n\
         grants = [\"a\"]\nwhen.role = \"a\"\n[tenants.t]\n";

    assert_eq!(
        faults(&format!("{general}never_from_directory = [\"a\"]\n")),
        [
            "9: unmapped grants a: give the tenant an unmapped of its own",
            "9: unknown_roles maps to a: give the tenant its own",
            "9: rule \"x\" grants a: give the tenant rules of its own",
        ]
    );
    let lines = faults(&format!("{general}strategy = \"highest\"\n"));
    assert_eq!(lines, ["9: strategy \"highest\" needs a priority for a: write it in [roles.a]"]);
}

#[test]
fn impossible_attributes_and_unstorable_values_are_refused() {
    let lines = faults(
        "[roles.a]\nname = \"x\\u0000\"\n[[rules]]\nname = \"\\u0007\"\ngrants = [\"a\"]\n\
         when.attribute = { path = \"n\", equals = nan }\n",
    );

    assert_eq!(
        lines,
        [
            "1: role \"a\" needs a slug and a name without control characters",
            "4: a rule needs a name without control characters: explanations cite it",
            "6: a value is a text, a number, or true or false",
        ]
    );
}

#[test]
fn a_choice_with_more_than_one_key_is_a_fault() {
    let choice = |more: &str| format!("unmapped = {{ role = \"member\"{more} }}\n[roles.member]\n");
    assert!(check(&choice("")).is_ok());
    assert_eq!(faults(&choice(", other = \"x\"")).len(), 1);
}

/// The keys that this table of the document may have, as the fault about another key lists them.
fn keys_of(table: &str) -> Vec<String> {
    let lines = faults(&format!("[[rules]]\nname = \"a\"\ngrants = []\nwhen = {table}\n"));
    let (_, keys) = lines[0].split_once("expected ").unwrap_or_else(|| panic!("{lines:?}"));
    keys.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_condition_is_documented_and_named_in_the_fault() {
    let document = include_str!("../../../docs/roles.md");
    let (_, conditions) = document.split_once("\n| condition | is true if |\n").unwrap();
    let (conditions, _) = conditions.split_once("\n\n").unwrap();
    let documented =
        |key: &String| conditions.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == key);
    let tables = [
        ("{ other = 1 }", "{}", "when has exactly one of "),
        ("{ group.other = 1 }", "{ group = {} }", "group has exactly one of "),
        ("{ attribute.other = 1 }", "{ attribute.path = \"a\" }", "attribute has a path and exactly one of "),
    ];
    for (unknown, none, begin) in tables {
        let keys = keys_of(unknown);
        assert!(keys.len() > 3, "{keys:?}");
        assert_eq!(keys.iter().find(|key| !documented(key)), None, "it is not in the table of docs/roles.md");
        let fault = faults(&format!("[[rules]]\nname = \"a\"\ngrants = []\nwhen = {none}\n"));
        let fault =
            fault.iter().find_map(|line| line.split_once(begin)).unwrap_or_else(|| panic!("{fault:?}"));
        let named: Vec<&str> = fault.1.split(':').next().unwrap().split(", ").collect();
        // These two stand beside the test.
        let tests: Vec<&String> =
            keys.iter().filter(|key| !["directory", "path"].contains(&key.as_str())).collect();
        assert_eq!(named, tests);
    }
}
