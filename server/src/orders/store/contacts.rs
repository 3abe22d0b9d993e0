//! End customers: the one table of their names, telephones and delivery addresses.

use sqlx::FromRow;

use crate::{platform::db::Conn, sql};

/// Who lives there, and where the box goes.
#[derive(Clone, FromRow)]
pub struct Contact {
    /// Name.
    pub last_name: String,
    /// First name; may be empty.
    pub first_name: String,
    /// Telephone.
    pub phone: String,
    /// Second telephone; may be empty.
    pub other_phone: String,
    /// Number of the delivery address; may be empty.
    pub box_number: String,
    /// Its street.
    pub box_street: String,
    /// What else finds the door; may be empty.
    pub box_complement: String,
    /// Its postcode.
    pub box_postcode: String,
    /// Its commune.
    pub box_commune: String,
}

impl std::fmt::Debug for Contact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Contact { .. }")
    }
}

/// Stores the contact of an order.
pub async fn insert(conn: &mut Conn<'_>, number: &str, c: &Contact) -> Result<(), sqlx::Error> {
    sql!(
        execute,
        conn,
        "INSERT INTO orders_contacts (number, last_name, first_name, phone, other_phone, box_number, box_street, \
         box_complement, box_postcode, box_commune) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        number,
        &c.last_name,
        &c.first_name,
        &c.phone,
        &c.other_phone,
        &c.box_number,
        &c.box_street,
        &c.box_complement,
        &c.box_postcode,
        &c.box_commune,
    )?;
    Ok(())
}

/// Erases the contact of an order; false where there is none.
pub async fn erase(conn: &mut Conn<'_>, number: &str) -> Result<bool, sqlx::Error> {
    let rows = sql!(execute, conn, "DELETE FROM orders_contacts WHERE number = $1", number)?;
    Ok(rows == 1)
}

/// The contact of an order; none once erased.
pub async fn find(conn: &mut Conn<'_>, number: &str) -> Result<Option<Contact>, sqlx::Error> {
    const TEXT: &str = "SELECT last_name, first_name, phone, other_phone, box_number, box_street, box_complement, \
                        box_postcode, box_commune FROM orders_contacts WHERE number = $1";
    sql!(optional, conn, Contact, TEXT, number)
}
