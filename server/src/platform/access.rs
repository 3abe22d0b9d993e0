//! Who may call what: the contract's options, enforced in one place, deny by default.
//!
//! Health and reflection have static rights: any registered certificate. Knows no slice.

use std::{collections::HashMap, sync::LazyLock};

use eservices::{Caller as Kind, METHODS, Method, Retry};

use super::{
    config::Environment,
    error::{Error, Reason},
    identity::Caller,
};

const fn open(path: &'static str, client_streaming: bool, server_streaming: bool) -> Method {
    Method {
        path,
        caller: Kind::Any,
        e_services: &[],
        roles: &[],
        retry: Retry::Idempotent,
        non_production_only: false,
        client_streaming,
        server_streaming,
    }
}

/// Methods of the infrastructure, which no `.proto` of ours declares.
pub static STATIC_METHODS: &[Method] = &[
    open("/grpc.health.v1.Health/Check", false, false),
    open("/grpc.health.v1.Health/Watch", false, true),
    open("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", true, true),
    open("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", true, true),
];

static BY_PATH: LazyLock<HashMap<&'static str, &'static Method>> =
    LazyLock::new(|| METHODS.iter().chain(STATIC_METHODS).map(|m| (m.path, m)).collect());

/// The methods that a server knows: the contract's, and in tests a test service's behind the same layers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Table {
    /// Methods besides the contract's.
    pub extra: &'static [Method],
}

impl Table {
    /// The method with this path.
    pub fn find(&self, path: &str) -> Result<&'static Method, Error> {
        let known = BY_PATH.get(path).copied();
        known
            .or_else(|| self.extra.iter().find(|m| m.path == path))
            .ok_or_else(|| Error::new(Reason::MethodUnknown, "the server knows no such method"))
    }
}

/// Refuses a caller that the method's options do not let in.
pub fn check(method: &Method, caller: &Caller, environment: Environment) -> Result<(), Error> {
    match (method.caller, caller.is_operator()) {
        (Kind::Operator, false) => {
            return Err(
                Error::new(Reason::OperatorsOnly, "the method is for operators").with("method", method.path)
            );
        }
        (Kind::BackOffice, true) => {
            return Err(Error::new(Reason::BackOfficeOnly, "the method is for back-office systems")
                .with("method", method.path));
        }
        _ => {}
    }
    if method.non_production_only && environment == Environment::Production {
        return Err(Error::new(Reason::NonProductionOnly, "the method exists outside production only")
            .with("method", method.path));
    }
    match method.caller {
        Kind::Any => Ok(()),
        Kind::Operator => {
            if method.e_services.iter().any(|e| caller.holds(e)) {
                return Ok(());
            }
            // Name the chain that lacks least: one that is subscribed to, if there is one.
            let rights = caller.rights();
            let near =
                method.e_services.iter().find(|e| rights.iter().any(|r| r.e_service == **e && r.subscribed));
            near.or(method.e_services.first()).map_or(Ok(()), |e| caller.require(e))
        }
        Kind::BackOffice => {
            if method.roles.iter().any(|r| caller.holds(r)) {
                return Ok(());
            }
            let role = method.roles.first().copied().unwrap_or_default();
            Err(Error::new(Reason::RoleMissing, format!("the role {role} is missing")).with("role", role))
        }
    }
}
