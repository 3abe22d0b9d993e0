//! Lines of CSV as exports send them: UTF-8, `;`, one line break. Does not know what they tell.

use std::borrow::Cow;

/// A piece of an export is sent when it is this long, bytes.
pub const PIECE: usize = 60 * 1024;

/// One line of fields.
pub fn line<'t>(fields: impl IntoIterator<Item = &'t str>, into: &mut String) {
    for (n, text) in fields.into_iter().enumerate() {
        if n > 0 {
            into.push(';');
        }
        into.push_str(&field(text));
    }
    into.push('\n');
}

/// Quoted where it must be; a text that a spreadsheet would take for a formula gets a quote in front.
#[must_use]
pub fn field(text: &str) -> Cow<'_, str> {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']) && text.parse::<f64>().is_err();
    let text = if formula { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) };
    if text.contains([';', '"', '\n', '\r']) {
        Cow::Owned(format!("\"{}\"", text.replace('"', "\"\"")))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By RFC 4180, and by what spreadsheets take for a formula.
    #[test]
    fn fields_are_quoted_where_they_must_be() {
        for (text, expected) in [
            ("", ""),
            ("RUE DE L'ÉGLISE", "RUE DE L'ÉGLISE"),
            ("a;b", "\"a;b\""),
            ("say \"so\"", "\"say \"\"so\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            ("=1+1", "'=1+1"),
            ("-cmd|' /C calc'!A0", "'-cmd|' /C calc'!A0"),
            ("@a;b", "\"'@a;b\""),
            ("-18.4", "-18.4"),
            ("+3", "+3"),
        ] {
            assert_eq!(field(text), expected, "{text}");
        }
        let mut lines = String::new();
        line(["a", "", "b;c"], &mut lines);
        assert_eq!(lines, "a;;\"b;c\"\n");
    }
}
