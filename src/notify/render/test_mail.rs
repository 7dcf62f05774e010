//! A test mail: the mail about leavers with invented people, marked as a test; pure.

use askama::Template;

use super::{Digest, leavers, page::Page};
use crate::config::Product;

#[derive(Template)]
#[template(path = "mail/test.txt")]
struct Marked<'a> {
    subject: &'a str,
    headline: &'a str,
}

pub(super) fn page(product: &Product, digest: &Digest) -> Page {
    let real = leavers::page(product, digest);
    let marked = Page::of(&Marked { subject: &real.subject, headline: &real.headline });
    Page { subject: marked.subject, headline: marked.headline, action: marked.action, ..real }
}
