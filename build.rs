//! `proto/**` → `OUT_DIR`: message types and stubs, the method table, the catalogue of reasons, the descriptor set.
//!
//! Fails on a method without its policy, on a mutating method whose retry safety and `request_id` disagree, on a reason
//! without its info, and on a message, field, method or enum value without a comment. Knows nothing of the server.

use std::{
    collections::BTreeSet,
    env,
    error::Error,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use prost_reflect::{DescriptorPool, DynamicMessage, ExtensionDescriptor, MethodDescriptor, Value};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let files = proto_files(Path::new("proto"))?;
    println!("cargo::rerun-if-changed=proto");

    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_source_info(true).include_imports(true).open_files(&files)?;
    let encoded = compiler.encode_file_descriptor_set();
    fs::write(out.join("descriptors.bin"), &encoded)?;

    let pool = DescriptorPool::decode(encoded.as_slice())?;
    let mut faults = undocumented(&pool);
    fs::write(out.join("methods.rs"), method_table(&pool, &mut faults)?)?;
    fs::write(out.join("reasons.rs"), reason_table(&pool, &mut faults)?)?;
    if !faults.is_empty() {
        return Err(format!("the contract has {} faults:\n  {}", faults.len(), faults.join("\n  ")).into());
    }

    tonic_prost_build::configure()
        .client_mod_attribute(".", "#[cfg(feature = \"client\")]")
        .server_mod_attribute(".", "#[cfg(feature = \"server\")]")
        .build_transport(false)
        .bytes(".")
        .include_file("contract.rs")
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}

/// Every `.proto` below `root`, relative to it, sorted.
fn proto_files(root: &Path) -> Result<BTreeSet<PathBuf>> {
    fn walk(root: &Path, dir: &Path, found: &mut BTreeSet<PathBuf>) -> Result<()> {
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            if path.is_dir() {
                walk(root, &path, found)?;
            } else if path.extension().is_some_and(|e| e == "proto") {
                found.insert(path.strip_prefix(root)?.to_owned());
            }
        }
        Ok(())
    }
    let mut found = BTreeSet::new();
    walk(root, root, &mut found)?;
    Ok(found)
}

/// Elements of our packages that have no leading comment.
fn undocumented(pool: &DescriptorPool) -> Vec<String> {
    let mut faults = Vec::new();
    for file in pool.files().filter(|f| f.package_name().starts_with("eservices.")) {
        let proto = file.file_descriptor_proto();
        let documented: BTreeSet<&[i32]> = proto
            .source_code_info
            .iter()
            .flat_map(|info| &info.location)
            .filter(|location| location.leading_comments().trim().len() > 3)
            .map(|location| location.path.as_slice())
            .collect();
        let mut need = |path: Vec<i32>, name: &str| {
            if !documented.contains(path.as_slice()) {
                faults.push(format!("{}: {name} has no comment", file.name()));
            }
        };
        for (m, message) in proto.message_type.iter().enumerate() {
            need(vec![4, m as i32], message.name());
            for (f, field) in message.field.iter().enumerate() {
                need(vec![4, m as i32, 2, f as i32], &format!("{}.{}", message.name(), field.name()));
            }
        }
        for (e, kind) in proto.enum_type.iter().enumerate() {
            need(vec![5, e as i32], kind.name());
            for (v, value) in kind.value.iter().enumerate() {
                need(vec![5, e as i32, 2, v as i32], &format!("{}.{}", kind.name(), value.name()));
            }
        }
        for (s, service) in proto.service.iter().enumerate() {
            need(vec![6, s as i32], service.name());
            for (m, method) in service.method.iter().enumerate() {
                need(vec![6, s as i32, 2, m as i32], &format!("{}.{}", service.name(), method.name()));
            }
        }
    }
    faults
}

fn method_table(pool: &DescriptorPool, faults: &mut Vec<String>) -> Result<String> {
    let policy = extension(pool, "eservices.policy.v1.method")?;
    let mut rows = String::new();
    for method in pool.services().flat_map(|s| s.methods().collect::<Vec<_>>()) {
        match method_row(&method, &policy) {
            Ok(row) => writeln!(rows, "    {row},")?,
            Err(fault) => faults.push(format!("{}: {fault}", method.full_name())),
        }
    }
    Ok(format!(
        "/// Every method of the contract, in the order of the descriptors.\npub static METHODS: &[Method] = &[\n{rows}];\n"
    ))
}

fn method_row(method: &MethodDescriptor, policy: &ExtensionDescriptor) -> Result<String> {
    let options = method.options();
    if !options.has_extension(policy) {
        return Err("has no (eservices.policy.v1.method) option".into());
    }
    let policy = options.get_extension(policy);
    let policy = policy.as_message().ok_or("policy is no message")?;
    let caller = match number(policy, "caller") {
        1 => "Any",
        2 => "Operator",
        3 => "BackOffice",
        _ => return Err("policy.caller is not set".into()),
    };
    let retry = match number(policy, "retry") {
        1 => "Idempotent",
        2 => "WithRequestId",
        _ => return Err("policy.retry is not set".into()),
    };
    let e_services = strings(policy, "e_services");
    let roles = strings(policy, "roles");
    match caller {
        "Operator" if e_services.is_empty() || !roles.is_empty() => {
            return Err("an operator's method names e-services and no role".into());
        }
        "BackOffice" if roles.is_empty() || !e_services.is_empty() => {
            return Err("a back-office method names roles and no e-service".into());
        }
        _ => {}
    }
    let has_request_id = method.input().get_field_by_name("request_id").is_some();
    if has_request_id != (retry == "WithRequestId") {
        return Err("request_id and retry safety disagree".into());
    }
    let non_production_only =
        policy.get_field_by_name("non_production_only").and_then(|v| v.as_bool()).unwrap_or(false);
    Ok(format!(
        "Method {{ path: \"/{}/{}\", caller: Caller::{caller}, e_services: &{e_services:?}, roles: &{roles:?}, retry: Retry::{retry}, \
         non_production_only: {non_production_only}, client_streaming: {}, server_streaming: {} }}",
        method.parent_service().full_name(),
        method.name(),
        method.is_client_streaming(),
        method.is_server_streaming(),
    ))
}

fn reason_table(pool: &DescriptorPool, faults: &mut Vec<String>) -> Result<String> {
    let info = extension(pool, "eservices.errors.v1.reason")?;
    let reasons = pool.get_enum_by_name("eservices.errors.v1.Reason").ok_or("no enum Reason")?;
    let mut rows = String::new();
    for value in reasons.values().filter(|v| v.number() != 0) {
        let options = value.options();
        let found = options.get_extension(&info);
        let Some(found) = found.as_message().filter(|_| options.has_extension(&info)) else {
            faults.push(format!("{}: has no (eservices.errors.v1.reason) option", value.name()));
            continue;
        };
        let text = |name: &str| {
            found.get_field_by_name(name).and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
        };
        let (code, remedy) = (text("code"), text("remedy"));
        if code.is_empty() || remedy.is_empty() {
            faults.push(format!("{}: code and remedy are mandatory", value.name()));
        }
        let name = value.name().strip_prefix("REASON_").unwrap_or(value.name());
        let keys = strings(found, "metadata_keys");
        writeln!(
            rows,
            "    ReasonInfo {{ number: {}, name: {name:?}, code: tonic::Code::{}, remedy: {remedy:?}, metadata_keys: &{keys:?} }},",
            value.number(),
            camel(&code),
        )?;
    }
    Ok(format!(
        "/// The catalogue of refusals, in the order of the contract.\npub static REASONS: &[ReasonInfo] = &[\n{rows}];\n"
    ))
}

fn extension(pool: &DescriptorPool, name: &str) -> Result<ExtensionDescriptor> {
    pool.get_extension_by_name(name).ok_or_else(|| format!("no extension {name}").into())
}

fn number(message: &DynamicMessage, field: &str) -> i32 {
    message.get_field_by_name(field).and_then(|v| v.as_enum_number()).unwrap_or_default()
}

fn strings(message: &DynamicMessage, field: &str) -> Vec<String> {
    let value = message.get_field_by_name(field);
    let list = value.as_deref().and_then(Value::as_list).unwrap_or_default();
    list.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect()
}

/// `INVALID_ARGUMENT` → `InvalidArgument`.
fn camel(code: &str) -> String {
    code.split('_')
        .map(|word| {
            let (head, tail) = word.split_at(word.len().min(1));
            head.to_uppercase() + &tail.to_lowercase()
        })
        .collect()
}
