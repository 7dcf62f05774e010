//! How often tenants get the report of their access: `mail.report` for all, `mail.report_of` for single tenants.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use super::{MailSettings, period::Every, wrong};
use crate::outbox::NoticeKind;

impl MailSettings {
    /// The period of a tenant's reports; `None` when it gets none, or when the kind is switched off.
    pub fn reports(&self, tenant_id: &str) -> Option<Every> {
        let every = self.report_of.get(tenant_id).copied().unwrap_or(self.report);
        every.filter(|_| self.sends(NoticeKind::AccessReport, tenant_id))
    }

    /// Whether any tenant gets reports.
    pub fn reports_at_all(&self) -> bool {
        self.report_of.values().chain([&self.report]).any(Option::is_some)
    }
}

fn read<E: serde::de::Error>(key: &str, text: &str) -> Result<Option<Every>, E> {
    match text {
        "off" => Ok(None),
        "weekly" => Ok(Some(Every::Week)),
        "monthly" => Ok(Some(Every::Month)),
        other => Err(wrong(format_args!("{key} is \"{other}\"; write \"off\", \"weekly\" or \"monthly\""))),
    }
}

pub(super) fn every<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Every>, D::Error> {
    read("mail.report", &String::deserialize(from)?)
}

pub(super) fn every_of_tenants<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<BTreeMap<String, Option<Every>>, D::Error> {
    BTreeMap::<String, String>::deserialize(from)?
        .into_iter()
        .map(|(tenant, text)| {
            let every = read(&format!("mail.report_of.{tenant}"), &text)?;
            Ok((tenant, every))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load;

    fn settings_of(text: &str) -> Result<MailSettings, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        load(Some(file.path()), |_name| None).map(|config| config.mail).map_err(|error| error.to_string())
    }

    #[test]
    fn reports_are_off_until_somebody_wants_them_for_all_or_for_one_tenant() {
        let nobody = settings_of("").unwrap();
        assert_eq!((nobody.reports("org_1"), nobody.reports_at_all()), (None, false));

        let mail = settings_of(
            "[mail]\nreport = \"monthly\"\n[mail.report_of]\norg_1 = \"weekly\"\norg_2 = \"off\"\n\
             [mail.kinds_of.org_3]\naccess_report = false\n",
        )
        .unwrap();

        let of = |tenant| mail.reports(tenant);
        assert_eq!((of("org_1"), of("org_2")), (Some(Every::Week), None));
        assert_eq!((of("org_3"), of("org_4")), (None, Some(Every::Month)));
        assert!(mail.reports_at_all());
    }

    #[test]
    fn an_unknown_period_is_refused_with_a_list_of_the_known_ones() {
        for (text, key) in [
            ("[mail]\nreport = \"daily\"\n", "mail.report is \"daily\""),
            ("[mail.report_of]\norg_1 = \"never\"\n", "mail.report_of.org_1 is \"never\""),
        ] {
            let refused = settings_of(text).unwrap_err();
            assert!(
                refused.contains(key) && refused.contains("\"off\", \"weekly\" or \"monthly\""),
                "{refused}"
            );
        }
    }
}
