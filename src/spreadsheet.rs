//! Others' texts in cells: they must not run as formulas in somebody's spreadsheet (OWASP, CSV injection).

pub(crate) fn cell(text: String) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text }
}
