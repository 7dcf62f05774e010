//! The application as mails name it; pure.

use super::{
    clean::{self, Clean},
    page::Logo,
};
use crate::config::Product;

impl Product {
    /// `Hub`, or `the application`.
    pub(super) fn application(&self) -> Clean {
        match &self.name {
            Some(name) => clean::name(name, 60),
            None => Clean::own("the application".to_owned()),
        }
    }

    /// The image above a mail, with the name of the application for readers who do not see it.
    pub(super) fn shown_logo(&self) -> Option<Logo> {
        let words =
            self.name.as_ref().map_or_else(|| "Logo".to_owned(), |_name| self.application().into_text());
        self.logo.clone().map(|url| Logo { url, words })
    }

    /// `the team that runs Hub (help@hub.example)`. The contact comes from the operator's settings, so it may be a link.
    pub(super) fn team(&self) -> Clean {
        let team = format!("the team that runs {}", self.application());
        match &self.support {
            Some(contact) => Clean::own(format!("{team} ({})", clean::line(contact, 120))),
            None => Clean::own(team),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_and_its_contact_are_named_where_they_are_known() {
        let product = |name: Option<&str>, support: Option<&str>| {
            let (name, support) = (name.map(str::to_owned), support.map(str::to_owned));
            Product { name, support, ..Product::default() }.team().to_string()
        };
        assert_eq!(product(None, None), "the team that runs the application");
        assert_eq!(product(Some("Hub"), None), "the team that runs Hub");
        assert_eq!(
            product(None, Some("help@hub.example")),
            "the team that runs the application (help@hub.example)"
        );
        assert_eq!(
            product(Some("Hub\n"), Some("https://hub.example/help\n")),
            "the team that runs Hub (https://hub.example/help)"
        );
    }
}
