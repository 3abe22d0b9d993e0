//! The tables of e-RDV: zones and communes, slots and their places, appointments. Every query takes the caller's scope.

mod appointments;
mod confirm;
mod relocate;
mod slots;
mod zones;

pub use appointments::{
    Alive, Appointment, Due, Filter, ZoneBooking, alive, cancel_all, due, due_in_slot, find, find_any,
    insert, lapse, list, list_zone_day, move_to_slot, set_state,
};
pub use confirm::{Quote, confirm, fits, give_back, release};
pub use relocate::{another, movable, no_room, relocate};
pub use slots::{Change, Day, Slot, at_place, free, free_many, in_zone, publish, slot, take, with_room};
pub use zones::{
    Membership, ZoneRow, conflicts, publish as publish_zones, touch as touch_zone, zone_exists, zone_of,
};
