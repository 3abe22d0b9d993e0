//! The layers of a configuration, and what is said of a key that can not be used.
//!
//! Every single setting is a layer of its own, so that a fault names where it was set, and the next fault can be looked
//! for without it. Knows no key.

use std::{collections::BTreeMap, ffi::OsString, fmt, path::Path};

use figment::{
    Figment, Metadata, Profile, Provider,
    error::{Actual, Kind},
    providers::Serialized,
    value::{Dict, Map, Value},
};

use super::Config;

/// Where a value comes from that nobody set.
const DEFAULTS: &str = "default";

/// Why a configuration can not be used: every fault, one a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid(Vec<String>);

impl Invalid {
    /// One a fault: source, key, what was expected.
    #[must_use]
    pub fn faults(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for Invalid {}

/// One value at one key, and who set it.
struct Setting {
    source: String,
    key: Vec<String>,
    value: Value,
}

impl Provider for Setting {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.source.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let mut value = self.value.clone();
        for part in self.key.iter().rev() {
            value = Value::from(Dict::from([(part.clone(), value)]));
        }
        Ok(Map::from([(Profile::Default, value.into_dict().unwrap_or_default())]))
    }
}

impl Config {
    /// [`Config::load`] with the environment as a value.
    pub(super) fn load_with(
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
        flags: &[String],
    ) -> Result<Self, Invalid> {
        let defaults = Value::serialize(Self::default()).map_err(|e| Invalid(vec![e.to_string()]))?;
        let mut settings = Vec::new();
        let mut faults = Vec::new();
        if let Some(file) = file {
            from_file(file, &mut settings, &mut faults);
        }
        from_variables(variables, &defaults, &mut settings, &mut faults);
        from_flags(flags, &defaults, &mut settings, &mut faults);

        let mut broken: Vec<String> = Vec::new();
        loop {
            let layers = Figment::from(Serialized::defaults(Self::default()));
            let layers = settings.iter().fold(layers, |layers, setting| layers.merge(setting));
            match layers.extract::<Self>() {
                Ok(config) => {
                    for (key, expected) in config.faults() {
                        if !broken.iter().any(|b| key.starts_with(b.as_str())) {
                            let source = layers.find_metadata(&key).map_or(DEFAULTS, |m| &m.name);
                            faults.push(format!("{}: {key}: {expected}", source_name(source)));
                        }
                    }
                    return if faults.is_empty() { Ok(config) } else { Err(Invalid(faults)) };
                }
                Err(errors) => {
                    let before = settings.len();
                    for error in errors {
                        faults.push(readable(&error, &defaults));
                        settings
                            .retain(|s| !s.key.starts_with(&error.path) && !error.path.starts_with(&s.key));
                        broken.push(error.path.join("."));
                    }
                    if settings.len() == before {
                        return Err(Invalid(faults));
                    }
                }
            }
        }
    }
}

fn source_name(name: &str) -> &str {
    if name.contains("::") { DEFAULTS } else { name }
}

fn from_file(file: &Path, settings: &mut Vec<Setting>, faults: &mut Vec<String>) {
    let name = file.display();
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => return faults.push(format!("{name}: cannot read the configuration file: {error}")),
    };
    let line = |at: usize| text[..at.min(text.len())].matches('\n').count() + 1;
    let table = match text.parse::<toml::Table>() {
        Ok(table) => table,
        Err(error) => {
            let at = error.span().map_or(1, |span| line(span.start));
            return faults.push(format!("{name} line {at}: {}", error.message().replace('\n', ", ")));
        }
    };
    let mut lines = BTreeMap::new();
    if let Ok(spanned) = toml::de::DeTable::parse(&text) {
        note_lines(spanned.get_ref(), &mut Vec::new(), &|at| line(at), &mut lines);
    }
    flatten(table, &mut Vec::new(), &mut |key: &[String], value: toml::Value| {
        let source = lines.get(key).map_or_else(|| name.to_string(), |line| format!("{name} line {line}"));
        match Value::serialize(value) {
            Ok(value) => settings.push(Setting { source, key: key.to_vec(), value }),
            Err(error) => faults.push(format!("{source}: {}: {error}", key.join("."))),
        }
    });
}

/// Hands over every leaf; an empty table is one.
fn flatten(table: toml::Table, key: &mut Vec<String>, leaf: &mut impl FnMut(&[String], toml::Value)) {
    for (name, value) in table {
        key.push(name);
        match value {
            toml::Value::Table(inner) if !inner.is_empty() => flatten(inner, key, leaf),
            other => leaf(key, other),
        }
        key.pop();
    }
}

fn note_lines(
    table: &toml::de::DeTable<'_>,
    key: &mut Vec<String>,
    line: &impl Fn(usize) -> usize,
    lines: &mut BTreeMap<Vec<String>, usize>,
) {
    for (name, value) in table {
        key.push(name.get_ref().to_string());
        lines.insert(key.clone(), line(name.span().start));
        if let toml::de::DeValue::Table(inner) = value.get_ref() {
            note_lines(inner, key, line, lines);
        }
        key.pop();
    }
}

/// Other programs' variables (the tests' own, for instance) are no configuration: a key has two underscores in it.
fn from_variables(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
    defaults: &Value,
    settings: &mut Vec<Setting>,
    faults: &mut Vec<String>,
) {
    let mut found: Vec<(String, OsString)> = variables
        .into_iter()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, _)| {
            name == "ESERVICES_ENVIRONMENT" || (name.starts_with("ESERVICES_") && name.contains("__"))
        })
        .collect();
    found.sort_unstable();
    for (name, value) in found {
        let key = name.strip_prefix("ESERVICES_").unwrap_or(&name).to_lowercase().replace("__", ".");
        let source = format!("variable {name}");
        match value.into_string() {
            Ok(text) => settings.push(setting(source, &key, &text, defaults)),
            Err(_) => faults.push(format!("{source}: {key}: expected UTF-8")),
        }
    }
}

fn from_flags(flags: &[String], defaults: &Value, settings: &mut Vec<Setting>, faults: &mut Vec<String>) {
    for flag in flags {
        match flag.split_once('=') {
            Some((key, text)) if !key.is_empty() => {
                settings.push(setting(format!("--set {key}"), key, text, defaults));
            }
            _ => {
                faults.push(format!("--set {flag}: expected key=value, for instance listen.grpc=0.0.0.0:443"))
            }
        }
    }
}

/// Text stays text where text is expected: a secret of digits is no number.
fn setting(source: String, key: &str, text: &str, defaults: &Value) -> Setting {
    let is_text = defaults.find_ref(key).is_some_and(|value| value.as_str().is_some());
    let parsed = match text.parse::<Value>() {
        Ok(value @ (Value::Bool(..) | Value::Num(..))) if !is_text => value,
        _ => Value::from(text),
    };
    Setting { source, key: key.split('.').map(str::to_owned).collect(), value: parsed }
}

/// Source, key, what was expected, what was found.
fn readable(error: &figment::Error, defaults: &Value) -> String {
    let source = error.metadata.as_ref().map_or(DEFAULTS, |m| source_name(&m.name));
    let mut key = error.path.join(".");
    let secret = key.starts_with("tokens") || key.starts_with("database.url");
    let found = |actual: &Actual| if secret { "another kind of value".to_owned() } else { shown(actual) };
    let said = match &error.kind {
        Kind::InvalidType(actual, expected) | Kind::InvalidValue(actual, expected) => {
            format!("expected {}, found {}", human(expected), found(actual))
        }
        Kind::UnknownVariant(actual, expected) => {
            format!("expected {}, found {actual:?}", expected.join(" or "))
        }
        Kind::UnknownField(_, expected) => format!("no such key, expected one of {}", expected.join(", ")),
        Kind::MissingField(field) => {
            key = format!("{key}.{field}");
            "expected a value, found none".to_owned()
        }
        Kind::Message(text) if text.contains("socket address") => {
            "expected an address with a port".to_owned()
        }
        other => other.to_string(),
    };
    let example = match defaults.find_ref(&key) {
        Some(Value::String(_, text)) if !text.is_empty() && !secret => format!(", for instance {text}"),
        Some(Value::Num(_, number)) => {
            number.to_u128().map_or_else(String::new, |number| format!(", for instance {number}"))
        }
        _ => String::new(),
    };
    format!("{source}: {key}: {said}{example}")
}

fn human(expected: &str) -> String {
    match expected {
        "u16" => "a whole number from 0 to 65535".to_owned(),
        "u32" => "a whole number from 0 to 4294967295".to_owned(),
        "u64" | "usize" => "a whole number from 0 on".to_owned(),
        "a string" | "path string" => "text".to_owned(),
        "socket address" => "an address with a port".to_owned(),
        "a map" => "a table of keys".to_owned(),
        other if other.starts_with("struct ") => "a table of keys".to_owned(),
        other => other.to_owned(),
    }
}

fn shown(actual: &Actual) -> String {
    match actual {
        Actual::Bool(value) => value.to_string(),
        Actual::Unsigned(value) => value.to_string(),
        Actual::Signed(value) => value.to_string(),
        Actual::Float(value) => value.to_string(),
        Actual::Str(value) => format!("{value:?}"),
        Actual::Seq => "a list".to_owned(),
        Actual::Map => "a table of keys".to_owned(),
        other => other.to_string(),
    }
}
