//! Parts of both pages of access reviews (`templates/review_parts.html`). The file is pure.

use std::borrow::Cow;

use super::under_review::AccessUnderReview;

/// The text for an unknown value.
pub(super) const NONE: &str = "–";

/// A person, or a directory.
pub(super) struct Who<'a> {
    /// The name; without it the address; without both the id.
    pub(super) known: &'a str,
    /// The address, if `known` is the name.
    pub(super) email: Option<&'a str>,
    pub(super) id: &'a str,
    /// The previous row is about the same person.
    pub(super) again: bool,
}

impl<'a> Who<'a> {
    pub(super) fn new(name: Option<&'a str>, email: Option<&'a str>, id: &'a str) -> Self {
        let known = name.or(email).unwrap_or(id);
        Self { known, email: email.filter(|_| name.is_some()), id, again: false }
    }
}

/// Access that somebody has although the directory says otherwise.
pub(super) struct UnderReviewRow<'a> {
    pub(super) who: Who<'a>,
    pub(super) wants: &'a str,
    pub(super) because: String,
    pub(super) since: String,
    pub(super) decision: String,
}

impl<'a> UnderReviewRow<'a> {
    pub(super) fn new(one: &'a AccessUnderReview) -> Self {
        let decision = match (&one.decision, &one.decided_by) {
            (Some(decision), Some(by)) => {
                let at = one.decided_at.as_deref().map(minute).unwrap_or_default();
                let reason = one.decision_reason.as_deref().filter(|reason| !reason.is_empty());
                let reason = reason.map(|text| format!(": {text}")).unwrap_or_default();
                format!("{decision} by {by} {at}{reason}")
            }
            _ if one.hold_id.is_some() => "not decided".to_owned(),
            _ => NONE.to_owned(),
        };
        Self {
            who: Who::new(one.name.as_deref(), one.email.as_deref(), &one.user_id),
            wants: &one.directory_wants,
            because: one.hold_id.map_or_else(|| "last holder".to_owned(), |hold| format!("hold {hold}")),
            since: minute(&one.since),
            decision,
        }
    }
}

pub(super) fn time(at: Option<&str>) -> Cow<'_, str> {
    at.map_or(Cow::Borrowed(NONE), |at| Cow::Owned(minute(at)))
}

/// `2026-01-15 12:00`, from the text of a timestamp.
pub(crate) fn minute(at: &str) -> String {
    at.get(..16).unwrap_or(at).replace('T', " ")
}

pub(crate) fn span(minutes: i64) -> String {
    match minutes {
        ..=0 => "less than a minute".to_owned(),
        1..=119 => format!("{minutes} min"),
        120..=2_879 => format!("{} h", minutes / 60),
        _ => format!("{} days", minutes / 1_440),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_spans_are_short() {
        assert_eq!(minute("2026-01-15T12:00:59.000001Z"), "2026-01-15 12:00");
        assert_eq!(
            (time(Some("2026-01-15T12:00:59Z")).as_ref(), time(None).as_ref()),
            ("2026-01-15 12:00", NONE)
        );
        assert_eq!(
            (span(0), span(125), span(3_000)),
            ("less than a minute".to_owned(), "2 h".to_owned(), "2 days".to_owned())
        );
    }
}
