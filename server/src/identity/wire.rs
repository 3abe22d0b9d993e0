//! Domain → proto for `IdentityService`; its request is empty.

use eservices::{
    common::v1::Environment as WireEnvironment,
    identity::v1::{
        BackOfficeSystem, BusinessClock, Certificate, Limits, Operator, Right, WhoAmIResponse,
        who_am_i_response,
    },
};

use crate::platform::{
    Platform,
    clock::{instant, to_wire},
    config::Environment,
    identity::Caller,
};

/// The answer of `WhoAmI`.
pub fn who_am_i(caller: &Caller, platform: &Platform) -> WhoAmIResponse {
    let party = caller.party();
    let certificate = caller.certificate();
    let (identity, rights) = if caller.is_operator() {
        let operator = Operator {
            siren: party.code.clone(),
            display_name: party.display_name.clone(),
            quadrigram: party.quadrigram.clone(),
        };
        (who_am_i_response::Caller::Operator(operator), rights(caller))
    } else {
        let held = caller.rights().into_iter().filter(|r| r.subscribed && r.in_certificate);
        let system = BackOfficeSystem {
            code: party.code.clone(),
            display_name: party.display_name.clone(),
            roles: held.map(|r| r.e_service.to_owned()).collect(),
        };
        (who_am_i_response::Caller::System(system), Vec::new())
    };
    WhoAmIResponse {
        caller: Some(identity),
        environment: environment(platform.config.environment).into(),
        certificate: Some(Certificate {
            serial: certificate.serial.clone(),
            label: certificate.label.clone(),
            not_before: Some(to_wire(instant(certificate.not_before))),
            not_after: Some(to_wire(instant(certificate.not_after))),
        }),
        rights,
        business_clock: Some(BusinessClock {
            business_time: Some(to_wire(platform.clock.business())),
            speed: platform.clock.course().speed,
            machine_time: Some(to_wire(platform.clock.machine())),
        }),
        reference_release: platform.network.load().reference.release().name.to_string(),
        limits: Some(limits(caller, platform)),
    }
}

fn rights(caller: &Caller) -> Vec<Right> {
    let right = |r: crate::platform::identity::Right<'_>| Right {
        e_service: r.e_service.to_owned(),
        subscribed: r.subscribed,
        in_certificate: r.in_certificate,
        held: r.subscribed && r.in_certificate,
    };
    caller.rights().into_iter().map(right).collect()
}

fn limits(caller: &Caller, platform: &Platform) -> Limits {
    let quota = caller.desk().quota;
    let limits = &platform.config.limits;
    Limits {
        quota_tier: caller.party().quota_tier.clone(),
        calls_per_second: quota.calls_per_second,
        burst: quota.burst,
        concurrent_calls: quota.concurrent_calls,
        max_request_bytes: u32::try_from(limits.max_request_bytes).unwrap_or(u32::MAX),
        max_deadline: Some(prost_types::Duration {
            seconds: i64::try_from(limits.max_deadline_seconds).unwrap_or(i64::MAX),
            nanos: 0,
        }),
    }
}

fn environment(environment: Environment) -> WireEnvironment {
    match environment {
        Environment::Production => WireEnvironment::Production,
        Environment::NonProduction => WireEnvironment::NonProduction,
    }
}
