//! Versions of the mapping: the list, one document, and the lines that differ between two.

use serde_json::Value;

use super::super::{
    Failure, Format,
    output::{List, print_text},
};
use crate::{
    db::{Database, DbError},
    decide::mapping::DEFAULT,
    operator::mapping_plan,
    tables::mappings::{self, AppliedMapping},
    text::line_diff::{DiffLine, line_diff},
};

/// Equal lines that are shown around a difference.
const AROUND: usize = 3;

pub(super) fn show(database: &Database, version: Option<i64>) -> Result<(), Failure> {
    let found = database.read::<_, DbError>(|conn| {
        Ok(match version {
            Some(version) => mappings::stored(conn, version)?,
            None => mappings::newest(conn)?,
        })
    })?;
    let text = match (found, version) {
        (Some(AppliedMapping { version, document, by, at }), _) => {
            format!("# version {version}, applied by {by} at {at}\n{document}")
        }
        (None, None) => format!("# no mapping was applied: this is the built-in one\n{DEFAULT}"),
        (None, Some(0)) => format!("# version 0, the built-in one\n{DEFAULT}"),
        (None, Some(version)) => return Err(mapping_plan::PlanError::UnknownVersion(version).into()),
    };
    Ok(print_text(&text)?)
}

pub(super) fn history(database: &Database, format: Format) -> Result<(), Failure> {
    let all = database.read::<_, DbError>(|conn| Ok(mappings::all(conn)?))?;
    let newest = all.first().map_or(0, |applied| applied.version);
    let row = |applied: &AppliedMapping| -> Vec<Value> {
        vec![
            applied.version.into(),
            applied.at.to_string().into(),
            applied.by.as_str().into(),
            (applied.version == newest).into(),
        ]
    };
    let columns = vec!["version", "applied_at", "applied_by", "in_force"];
    Ok(List { columns, rows: all.iter().map(row).collect() }.print(format)?)
}

pub(super) fn diff(database: &Database, former: i64, new: i64) -> Result<(), Failure> {
    let (before, after) =
        (mapping_plan::document_of(database, former)?, mapping_plan::document_of(database, new)?);
    let lines = line_diff(&before, &after);
    if lines.iter().all(|line| matches!(line, DiffLine::Same(_))) {
        return Ok(print_text(&format!("versions {former} and {new} are equal\n"))?);
    }
    print_text(&format!("--- version {former}\n+++ version {new}\n{}", shown(&lines)))?;
    Ok(())
}

/// The differences with some equal lines around them.
fn shown(lines: &[DiffLine<'_>]) -> String {
    let differs = |line: &DiffLine<'_>| !matches!(line, DiffLine::Same(_));
    let (mut text, mut skipped) = (String::new(), false);
    for (place, line) in lines.iter().enumerate() {
        let near = lines.iter().skip(place.saturating_sub(AROUND)).take(place.min(AROUND) + AROUND + 1);
        if !near.clone().any(differs) {
            skipped = true;
            continue;
        }
        if std::mem::take(&mut skipped) {
            text.push_str("…\n");
        }
        text.push_str(&match line {
            DiffLine::Same(line) => format!("  {line}\n"),
            DiffLine::Removed(line) => format!("- {line}\n"),
            DiffLine::Added(line) => format!("+ {line}\n"),
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_lines_far_from_a_difference_are_left_out() {
        let (before, after) = ("a\nb\nc\nd\ne\nf\ng\nh", "a\nb\nc\nd\nE\nf\ng\nh");
        assert_eq!(shown(&line_diff(before, after)), "…\n  b\n  c\n  d\n- e\n+ E\n  f\n  g\n  h\n");
    }
}
