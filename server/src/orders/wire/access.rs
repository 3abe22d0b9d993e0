//! Requests about an access that was delivered: its end, another box.

use eservices::orders::v1 as pb;
use eservices_reference::ids::Aid;

use super::{Form, LONGEST_COMMENT};
use crate::{orders::store::Contact, platform::error::Violations};

/// What is asked for an access, checked for form.
#[derive(Clone, Debug)]
pub struct OnAccess {
    /// Access id.
    pub aid: String,
    /// The operator's own reference.
    pub operator_reference: String,
    /// Who receives the new box, and where; none where no box is sent.
    pub contact: Option<Contact>,
    /// For the field.
    pub comment: String,
    /// How the simulator plays it.
    pub scenario: String,
}

/// The end of an access.
pub fn termination(request: pb::TerminateAccessRequest, violations: &mut Violations) -> Option<OnAccess> {
    let mut form = Form { violations, prefix: "" };
    let texts = [request.aid, request.operator_reference, request.comment, request.scenario];
    form.on_access(&texts)
}

/// Another box for an access.
pub fn exchange(request: pb::ExchangeBoxRequest, violations: &mut Violations) -> Option<OnAccess> {
    let mut form = Form { violations, prefix: "" };
    let texts = [request.aid, request.operator_reference, request.comment, request.scenario];
    let asked = form.on_access(&texts);
    let contact = form.contact(request.contact, request.delivery_address)?;
    Some(OnAccess { contact: Some(contact), ..asked? })
}

impl Form<'_> {
    fn on_access(&mut self, [aid, operator_reference, comment, scenario]: &[String; 4]) -> Option<OnAccess> {
        let aid = self.id("aid", aid, Aid::parse);
        let operator_reference = self.text("operator_reference", operator_reference, 1, 30);
        let comment = self.text("comment", comment, 0, LONGEST_COMMENT);
        let scenario = self.scenario(scenario);
        Some(OnAccess {
            aid: aid?.to_string(),
            operator_reference: operator_reference?,
            contact: None,
            comment: comment?,
            scenario: scenario?,
        })
    }
}
