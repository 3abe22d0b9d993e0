//! What a person sees of the demo: each call as `Service/Method` with its answer in a few lines; colours on a terminal only.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    io::{IsTerminal as _, Write as _},
    path::Path,
    time::Duration,
};

/// Prints the demo and counts the calls.
pub struct Show {
    colours: bool,
    answered: RefCell<BTreeMap<String, u32>>,
    refused: RefCell<u32>,
}

impl Show {
    pub fn new() -> Self {
        Self {
            colours: std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
            answered: RefCell::default(),
            refused: RefCell::default(),
        }
    }

    /// A heading.
    pub fn title(&self, what: &str, detail: &str) {
        self.line(&format!("\n{} {detail}", self.paint("1", what)));
    }

    /// A call that was answered.
    pub fn answered(&self, method: &str, who: &str, took: Duration, lines: &[String]) {
        *self.answered.borrow_mut().entry(method.to_owned()).or_default() += 1;
        self.line(&format!(
            "\n{} {method}  ({who}, {:.1} ms)",
            self.paint("32", "OK     "),
            took.as_secs_f64() * 1e3
        ));
        for line in lines {
            self.said(line);
        }
    }

    /// An event that a watch brought.
    pub fn event(&self, revision: i64, kind: &str, state: &str) {
        self.line(&format!("{} {revision}  {kind} → {state}", self.paint("36", "EVENT  ")));
    }

    /// A call that was refused, as it should be.
    pub fn refused(&self, method: &str, who: &str, error: &eservices_client::Error) {
        *self.answered.borrow_mut().entry(method.to_owned()).or_default() += 1;
        *self.refused.borrow_mut() += 1;
        let reason = error.reason_name().unwrap_or("no reason");
        self.line(&format!("\n{} {method}  ({who})", self.paint("33", "REFUSED")));
        self.said(&format!("{:?} / {reason}: {}", error.code(), error.message()));
        for violation in error.field_violations() {
            self.said(&format!("{}: {}", violation.field, violation.description));
        }
        self.said(&format!("what to do: {}", error.remedy().unwrap_or("-")));
    }

    /// How it went.
    pub fn summary(&self) {
        let answered = self.answered.borrow();
        let calls: u32 = answered.values().sum();
        self.title(
            "Done",
            &format!(
                "{calls} calls to {} methods, {} of them refused on purpose",
                answered.len(),
                self.refused.borrow()
            ),
        );
    }

    /// How to call the server from outside.
    pub fn how_to_call(&self, dir: &Path, port: u16, local: &str) {
        let dir = dir.display();
        self.title("Still serving; call it from outside:", "");
        for line in [
            "cargo run -p eservices-client --example journey".to_owned(),
            format!(
                "grpcurl -cacert {dir}/root.pem -cert {dir}/operator-alpha.pem -key {dir}/operator-alpha.key \\"
            ),
            format!("    localhost:{port} eservices.identity.v1.IdentityService/WhoAmI"),
            format!("curl http://{local}/readyz"),
            "docs/clients/ has a page each for Python, Go, Java and Node.".to_owned(),
            "Stop with Ctrl-C.".to_owned(),
        ] {
            self.line(&format!("  {line}"));
        }
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.colours { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// A reader that goes away (a closed pipe) does not end the demo. What is said is folded at 80 columns, what can be
    /// copied is not: it is printed as it is.
    fn line(&self, text: &str) {
        drop(writeln!(std::io::stdout(), "{text}"));
    }

    /// A line of an answer, indented, folded at 80 columns.
    fn said(&self, text: &str) {
        for (at, part) in folded(text, COLUMNS - INDENT.len() - 2).iter().enumerate() {
            let deeper = if at == 0 { "" } else { "  " };
            self.line(&format!("{INDENT}{deeper}{part}"));
        }
    }
}

/// The narrowest terminal that is written for.
const COLUMNS: usize = 80;
const INDENT: &str = "        ";

/// Cuts a text at spaces, so that no part is longer than `most` characters, unless one word is.
fn folded(text: &str, most: usize) -> Vec<String> {
    let mut parts = vec![String::new()];
    for word in text.split(' ') {
        let last = parts.last_mut().map_or(0, |part| part.chars().count());
        let room = last == 0 || last + 1 + word.chars().count() <= most;
        match parts.last_mut() {
            Some(part) if room => {
                if !part.is_empty() {
                    part.push(' ');
                }
                part.push_str(word);
            }
            _ => parts.push(word.to_owned()),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_wider_than_it_may_be_and_nothing_is_lost() {
        let text = "FIMP10 (fibre.access_open): order_open_day=2027-03-01, day=2026-11-29; order from the first day on";
        let parts = folded(text, 40);
        assert!(parts.len() > 2 && parts.iter().all(|part| part.chars().count() <= 40), "{parts:?}");
        assert_eq!(parts.join(" "), text);
        assert_eq!(folded("short", 40), ["short"]);
        assert_eq!(folded("a-word-that-is-longer", 5), ["a-word-that-is-longer"]);
    }
}
