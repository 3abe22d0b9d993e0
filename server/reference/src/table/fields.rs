//! A line of a CSV file → its fields.
//!
//! Does not know columns.

/// Where the fields of a line are.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub spans: Vec<(usize, usize)>,
    quoted: bool,
    /// The line without its quotes, where it has some.
    unquoted: String,
}

impl Fields {
    /// What the spans are places in, for the line that was split last.
    pub fn text<'s>(&'s self, line: &'s str) -> &'s str {
        if self.quoted { &self.unquoted } else { line }
    }

    pub fn split(&mut self, line: &str, delimiter: u8) -> Result<(), String> {
        self.spans.clear();
        self.quoted = line.as_bytes().contains(&b'"');
        if !self.quoted {
            let mut start = 0;
            for (at, byte) in line.bytes().enumerate() {
                if byte == delimiter {
                    self.spans.push((start, at));
                    start = at + 1;
                }
            }
            self.spans.push((start, line.len()));
            return Ok(());
        }
        self.unquoted.clear();
        let mut rest = line;
        loop {
            let start = self.unquoted.len();
            let mut tail = rest;
            if let Some(inside) = rest.strip_prefix('"') {
                tail = self.unquote(inside)?;
            }
            let end = tail.bytes().position(|byte| byte == delimiter);
            self.unquoted.push_str(&tail[..end.unwrap_or(tail.len())]);
            self.spans.push((start, self.unquoted.len()));
            match end {
                Some(end) => rest = &tail[end + 1..],
                None => return Ok(()),
            }
        }
    }

    /// Takes a quoted field from behind its opening quote; what follows the closing one is returned.
    fn unquote<'s>(&mut self, mut inside: &'s str) -> Result<&'s str, String> {
        loop {
            let (text, after) = inside.split_once('"').ok_or("a quote is never closed")?;
            self.unquoted.push_str(text);
            match after.strip_prefix('"') {
                Some(more) => {
                    self.unquoted.push('"');
                    inside = more;
                }
                None => return Ok(after),
            }
        }
    }
}
