//! The HTML form (`templates/mail/layout.html`); pure. askama escapes each value.

use askama::Template;

use super::page::Page;

#[derive(Template)]
#[template(path = "mail/layout.html")]
struct Layout<'a> {
    page: &'a Page,
}

pub(super) fn write(page: &Page) -> String {
    // Rendering into memory cannot fail.
    Layout { page }.render().unwrap_or_default()
}
