//! `export-descriptors`: the contract for tools that read no `.proto` files. Needs no configuration.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::{Answer, Failure, Global};

const EXAMPLES: &str = "\
Examples:
  eservices-server export-descriptors --out eservices.binpb
  grpcurl -protoset eservices.binpb list";

/// Where to write.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Export {
    /// The file to write; - is standard output.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// Writes the descriptor set.
pub fn run(export: &Export, global: &Global) -> Result<Answer, Failure> {
    if export.out == Path::new("-") {
        return Ok(Answer { body: eservices::DESCRIPTORS.to_vec(), notes: Vec::new() });
    }
    std::fs::write(&export.out, eservices::DESCRIPTORS).map_err(|e| Failure::file(&export.out, &e))?;
    let (bytes, methods) = (eservices::DESCRIPTORS.len(), eservices::METHODS.len());
    let file = export.out.display().to_string();
    Ok(Answer::of(
        global.json,
        || format!("{file}: {bytes} bytes, {methods} methods"),
        || json!({"file": file, "bytes": bytes, "methods": methods}),
    ))
}
