//! The two text formats of metrics, and the choice between them by the header `Accept`. Pure.

use std::{borrow::Cow, collections::BTreeSet};

/// A format that Prometheus reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposition {
    /// OpenMetrics 1.0.0.
    OpenMetrics,
    /// Prometheus' text format 0.0.4, for everybody else.
    Text,
}

impl Exposition {
    /// OpenMetrics is sent to those who name it and want it no less than plain text (RFC 9110 12.5.1). `accept` is all
    /// `Accept` lines, joined by commas.
    pub fn accepted(accept: &str) -> Self {
        let ranges: Vec<(&str, Option<&str>, f64)> = accept.split(',').map(range).collect();
        let weight = |media: &str, version: &str| {
            let matching = ranges.iter().filter(|(range, wanted, _)| {
                range.eq_ignore_ascii_case(media) && wanted.is_none_or(|wanted| wanted == version)
            });
            matching.map(|(_, _, weight)| *weight).reduce(f64::max)
        };
        let open = weight("application/openmetrics-text", "1.0.0").unwrap_or_default();
        let plain =
            weight("text/plain", "0.0.4").or_else(|| weight("text/*", "")).or_else(|| weight("*/*", ""));
        if open > 0.0 && open >= plain.unwrap_or_default() { Self::OpenMetrics } else { Self::Text }
    }

    /// The value of `Content-Type`.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    /// Writes the text of OpenMetrics in this format.
    pub fn write(self, open_metrics: &str) -> Cow<'_, str> {
        match self {
            Self::OpenMetrics => open_metrics.into(),
            Self::Text => plain(open_metrics).into(),
        }
    }
}

/// A media range, its version and its weight. A weight that is no number is 0.
fn range(text: &str) -> (&str, Option<&str>, f64) {
    let mut parts = text.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default();
    let (mut version, mut weight) = (None, 1.0);
    for (name, value) in parts.filter_map(|part| part.split_once('=')) {
        let value = value.trim_matches('"');
        if name.eq_ignore_ascii_case("q") {
            weight = value.parse().unwrap_or_default();
        } else if name.eq_ignore_ascii_case("version") {
            version = Some(value);
        }
    }
    (media, version, weight)
}

/// Plain text has no units and no end mark, and names a counter like its sample, with `_total`.
fn plain(open_metrics: &str) -> String {
    let counters: BTreeSet<&str> = open_metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    let mut text = String::with_capacity(open_metrics.len());
    for line in open_metrics.lines() {
        if line == "# EOF" || line.starts_with("# UNIT ") {
            continue;
        }
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some(keyword), Some(name), Some(rest)) if counters.contains(name) => {
                text.extend(["# ", keyword, " ", name, "_total ", rest]);
            }
            _ => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_metrics_is_sent_to_those_who_want_it() {
        for accept in [
            "application/openmetrics-text",
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=1.0.0;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            "Application/OpenMetrics-Text; version=\"1.0.0\", */*",
        ] {
            assert_eq!(Exposition::accepted(accept), Exposition::OpenMetrics, "{accept}");
        }
    }

    #[test]
    fn plain_text_is_sent_to_all_others() {
        for accept in [
            "",
            "*/*",
            "text/html,*/*;q=0.8",
            "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "application/openmetrics-text;q=0, text/plain",
            "application/openmetrics-text;q=0.3, text/plain",
            "application/openmetrics-text;version=2.0.0, */*;q=0.1",
            "application/openmetrics-text;q=much",
        ] {
            assert_eq!(Exposition::accepted(accept), Exposition::Text, "{accept}");
        }
    }

    #[test]
    fn plain_text_has_nothing_that_only_open_metrics_has() {
        let open_metrics = "# HELP a_seconds Time a.\n# TYPE a_seconds counter\n# UNIT a_seconds seconds\n\
                            a_seconds_total 3.5\n# HELP b A gauge.\n# TYPE b gauge\nb{c=\"# EOF\"} 1\n# EOF\n";
        let text = "# HELP a_seconds_total Time a.\n# TYPE a_seconds_total counter\na_seconds_total 3.5\n\
                    # HELP b A gauge.\n# TYPE b gauge\nb{c=\"# EOF\"} 1\n";
        assert_eq!(Exposition::Text.write(open_metrics), text);
        assert_eq!(Exposition::OpenMetrics.write(open_metrics), open_metrics);
    }
}
