//! The row that business time runs by: read, locked, changed where the known one still holds, mended at start.
//!
//! Knows no caller; what the three numbers mean is `clock`'s business.

use super::{
    Platform,
    clock::{Clock, Course},
    db::Conn,
    unit_of_work::Work,
};
use crate::sql;

/// Outside production, at start: a course whose anchor lies ahead of machine time (a clock that was set back) would stand
/// still until then; it goes on from where it stood.
pub async fn mend(platform: &Platform) -> Result<(), sqlx::Error> {
    let machine = platform.clock.machine().as_microsecond();
    let mut tx = platform.db.begin().await?;
    let known = read(&mut tx.conn()).await?;
    if platform.clock.movable() && known.anchor > machine {
        set(&mut tx.conn(), known, Course { anchor: machine, ..known }).await?;
    }
    tx.commit().await
}

/// How business time runs, as the database says.
pub async fn read(conn: &mut Conn<'_>) -> Result<Course, sqlx::Error> {
    sql!(one, conn, Course, "SELECT base, anchor, speed FROM business_clock WHERE id = 1")
}

/// Locks the row for work that changes it, after the caller's own row, and looks at the clocks anew: it decides by the time
/// that the change before it left. Work that only read the course was overtaken again and again.
pub async fn lock(work: &mut Work, clock: &Clock) -> Result<(), sqlx::Error> {
    const TEXT: &str = "UPDATE business_clock SET speed = speed WHERE id = 1 RETURNING base, anchor, speed";
    work.course = sql!(one, &mut work.conn(), Course, TEXT)?;
    clock.follow(work.course);
    work.machine_now = clock.machine();
    work.now = clock.business();
    Ok(())
}

/// Sets a new course of business time, if the known one still holds.
pub async fn set(conn: &mut Conn<'_>, known: Course, course: Course) -> Result<bool, sqlx::Error> {
    let rows = sql!(
        execute,
        conn,
        "UPDATE business_clock SET base = $1, anchor = $2, speed = $3 WHERE id = 1 AND base = $4 AND anchor = $5",
        course.base,
        course.anchor,
        course.speed,
        known.base,
        known.anchor,
    )?;
    Ok(rows == 1)
}
