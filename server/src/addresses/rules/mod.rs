//! What a place in a building is: whether a new line can be laid there, and what visit that needs. Knows no tonic, no clock,
//! no database.

pub mod find;

use eservices_reference::{
    Building, Line, StructureRow,
    derived::{AppointmentType, appointment_type},
};

use crate::platform::network::Network;

/// What is left for a new line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// Every housing of the place has its socket.
    SocketPresent,
    /// The distribution point has a free fibre.
    Free,
    /// The distribution point is full (FINT01).
    Full,
    /// The fibres that are left are held by orders under way (FINT02, *saturation virtuelle*).
    Held,
    /// The reference does not say.
    Unknown,
}

impl Resource {
    /// The Interop code of a refusal for that reason; empty if there is none.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Full => "FINT01",
            Self::Held => "FINT02",
            Self::SocketPresent | Self::Free | Self::Unknown => "",
        }
    }
}

/// Whether a new line can be laid at a place.
#[must_use]
pub fn resource(network: &Network, row: &StructureRow, lines: &[Line]) -> Resource {
    if covered(row, lines) {
        return Resource::SocketPresent;
    }
    match (network.free_fibres(row), network.unlit_fibres(row)) {
        (None, _) => Resource::Unknown,
        (Some(0), Some(1..)) => Resource::Held,
        (Some(0), _) => Resource::Full,
        (Some(_), _) => Resource::Free,
    }
}

/// The type of visit that an installation at a place needs.
#[must_use]
pub fn visit(network: &Network, building: &Building, row: &StructureRow, lines: &[Line]) -> AppointmentType {
    appointment_type(network.reference.rules(), building, Some(row), covered(row, lines))
}

/// The rule behind a type of visit.
#[must_use]
pub const fn visit_rule(visit: AppointmentType) -> &'static str {
    match visit {
        AppointmentType::Short => "visit.socket_present",
        AppointmentType::House => "visit.house",
        AppointmentType::Block => "visit.building",
        AppointmentType::BlockComplex => "visit.building_outside_or_ground_floor",
    }
}

/// The sockets of a place, among the lines of its building.
pub fn lines_at<'a>(row: &StructureRow, lines: &'a [Line]) -> impl Iterator<Item = &'a Line> {
    lines.iter().filter(move |line| line.place == row.place)
}

fn covered(row: &StructureRow, lines: &[Line]) -> bool {
    covers(lines_at(row, lines).count(), row.housings)
}

/// Whether every housing has its socket: only then is the visit a short one, whoever the customer is.
#[must_use]
pub fn covers(sockets: usize, housings: Option<u32>) -> bool {
    sockets > 0 && u32::try_from(sockets).is_ok_and(|sockets| sockets >= housings.unwrap_or(1))
}
