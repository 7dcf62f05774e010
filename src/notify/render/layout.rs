//! The HTML form (`templates/mail/layout.html`); pure. The template escapes every value by itself.

use askama::Template;

use super::page::Page;

#[derive(Template)]
#[template(path = "mail/layout.html")]
struct Layout<'a> {
    page: &'a Page,
}

pub(super) fn write(page: &Page) -> String {
    // Into memory: writing cannot fail.
    Layout { page }.render().unwrap_or_default()
}
