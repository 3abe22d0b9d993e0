//! The tables of orders: orders and their contacts, history, sockets, accesses, fixed addresses. Every query takes the
//! caller's scope, but for what the field reports.

mod accesses;
mod addresses;
mod advance;
mod boxes;
mod contacts;
mod history;
mod orders;
mod sockets;
mod work;
mod work_details;

pub use accesses::{
    Access, insert as insert_access, order_under_way, set_state as set_access_state,
    standing as access_standing,
};
pub use addresses::{Held, assign as assign_address, held, release as release_address};
pub use advance::{Report, add_report, advance, step};
pub use boxes::{Fate, add as add_boxes, settle as settle_box, ship as ship_box};
pub use contacts::{Contact, erase as erase_contact, find as contact, insert as insert_contact};
pub use history::{Entry, add as add_entry, erase_comments, is_erased, of as history};
pub use orders::{
    Count, Filter, Order, Overdue, count, find, find_any, insert, list, number_of, overdue, update,
};
pub use sockets::{free as free_socket, holder, take as take_socket};
pub use work::{
    Filter as WorkFilter, Lease, Wanted, WorkRow, ask_back, done_in_vain, end as end_lease,
    extend as extend_lease, find as find_work, follow as follow_work, lease, list as list_work,
    open as open_work,
};
pub use work_details::{Details, details};
