//! The difference of two texts, line by line; pure.

/// A line of the difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiffLine<'a> {
    /// In both texts.
    Same(&'a str),
    /// In the former text only.
    Removed(&'a str),
    /// In the new text only.
    Added(&'a str),
}

/// Above this product of the numbers of lines, all lines between the first and the last difference count as changed.
const MOST_PAIRS: usize = 16_000_000;

/// The lines of both texts in order, with as many equal lines as possible.
pub fn line_diff<'a>(former: &'a str, new: &'a str) -> Vec<DiffLine<'a>> {
    let (former, new): (Vec<&str>, Vec<&str>) = (former.lines().collect(), new.lines().collect());
    let equal = |(a, b): &(&&str, &&str)| a == b;
    let begin = former.iter().zip(&new).take_while(equal).count();
    let (rest_of_former, rest_of_new) = (former.split_at(begin).1, new.split_at(begin).1);
    let end = rest_of_former.iter().rev().zip(rest_of_new.iter().rev()).take_while(equal).count();
    let former_middle = rest_of_former.split_at(rest_of_former.len() - end).0;
    let (new_middle, tail) = rest_of_new.split_at(rest_of_new.len() - end);

    let mut lines: Vec<DiffLine<'a>> = new.iter().take(begin).map(|&line| DiffLine::Same(line)).collect();
    lines.extend(middle(former_middle, new_middle));
    lines.extend(tail.iter().map(|&line| DiffLine::Same(line)));
    lines
}

fn middle<'a>(former: &[&'a str], new: &[&'a str]) -> Vec<DiffLine<'a>> {
    let removed = || former.iter().map(|&line| DiffLine::Removed(line));
    let added = || new.iter().map(|&line| DiffLine::Added(line));
    if former.is_empty() || new.is_empty() || former.len().saturating_mul(new.len()) > MOST_PAIRS {
        return removed().chain(added()).collect();
    }
    // The length of the longest common part from each pair of places to the ends.
    let width = new.len() + 1;
    let mut common = vec![0_u32; (former.len() + 1) * width];
    let at = |common: &[u32], i: usize, j: usize| common.get(i * width + j).copied().unwrap_or(0);
    for (i, a) in former.iter().enumerate().rev() {
        for (j, b) in new.iter().enumerate().rev() {
            let best = match a == b {
                true => at(&common, i + 1, j + 1) + 1,
                false => at(&common, i + 1, j).max(at(&common, i, j + 1)),
            };
            if let Some(place) = common.get_mut(i * width + j) {
                *place = best;
            }
        }
    }
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    loop {
        match (former.get(i).copied(), new.get(j).copied()) {
            (Some(a), Some(b)) if a == b => {
                lines.push(DiffLine::Same(b));
                (i, j) = (i + 1, j + 1);
            }
            (Some(a), b) if b.is_none() || at(&common, i + 1, j) >= at(&common, i, j + 1) => {
                lines.push(DiffLine::Removed(a));
                i += 1;
            }
            (_, Some(b)) => {
                lines.push(DiffLine::Added(b));
                j += 1;
            }
            (_, None) => return lines,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert_eq, proptest};

    use super::*;

    fn shown(former: &str, new: &str) -> Vec<String> {
        let line = |line: DiffLine<'_>| match line {
            DiffLine::Same(text) => format!("  {text}"),
            DiffLine::Removed(text) => format!("- {text}"),
            DiffLine::Added(text) => format!("+ {text}"),
        };
        line_diff(former, new).into_iter().map(line).collect()
    }

    #[test]
    fn lines_that_both_have_stay_and_others_are_removed_and_added() {
        assert_eq!(shown("a\nb\nc\nd", "a\nc\nx\nd"), ["  a", "- b", "  c", "+ x", "  d"]);
        assert_eq!(shown("", "a\n"), ["+ a"]);
        assert_eq!(shown("a", ""), ["- a"]);
        assert_eq!(shown("a\n", "a"), ["  a"]);
    }

    proptest! {
        #[test]
        fn both_texts_can_be_read_from_the_difference(former in "[ab\n]{0,40}", new in "[ab\n]{0,40}") {
            let lines = line_diff(&former, &new);
            let of = |other: fn(&DiffLine<'_>) -> bool| -> Vec<&str> {
                lines.iter().filter(|line| !other(line)).map(|line| match *line {
                    DiffLine::Same(text) | DiffLine::Removed(text) | DiffLine::Added(text) => text,
                }).collect()
            };
            prop_assert_eq!(of(|line| matches!(line, DiffLine::Added(_))), former.lines().collect::<Vec<_>>());
            prop_assert_eq!(of(|line| matches!(line, DiffLine::Removed(_))), new.lines().collect::<Vec<_>>());
        }
    }
}
