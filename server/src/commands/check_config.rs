//! `check-config`: the configuration as it takes effect, or every fault in it. Opens nothing that it names.

use super::{Answer, Failure, Global};
use crate::platform::config::Config;

/// Reads and checks the configuration; secrets are not shown.
pub fn run(global: &Global) -> Result<Answer, Failure> {
    let shown = Config::load(global.config.as_deref(), &global.set)?.masked();
    let text = toml::to_string_pretty(&shown).map_err(|e| Failure::new(e.to_string()))?;
    let value = serde_json::to_value(&shown).map_err(|e| Failure::new(e.to_string()))?;
    Ok(Answer::of(global.json, || text, || value))
}
