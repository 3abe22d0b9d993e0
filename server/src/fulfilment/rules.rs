//! What an end customer reads of the work of an order: printed lines and messages, in the operator's name alone. Pure.
//!
//! Nobody else is named: not the wholesaler, not its product, no person, no address. Words are French, in the alphabet of a text
//! message (so *aout* without its accent, and no word with another circumflex), within 160 characters where the brand is short.

use jiff::civil::{Date, Weekday};

use crate::orders::rules::{Type, work::Capability};

/// Language of the texts.
pub const LANGUAGE: &str = "fr";

/// What a text is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Line of a parcel's label.
    ParcelSender,
    /// The box has left.
    BoxOnItsWay,
    /// The box can not be sent.
    BoxNotSent,
    /// The box never arrived: another one is sent.
    BoxSentAgain,
    /// When the technician comes.
    VisitAnnounced,
    /// The technician sets out.
    TechnicianOnTheWay,
    /// Nobody was there.
    VisitMissed,
    /// The visit failed for good.
    VisitFailed,
    /// The access is on.
    AccessOn,
    /// The access cannot be switched on.
    AccessNotOn,
    /// The access is off.
    AccessOff,
    /// The box is to come back.
    BoxAwaited,
    /// Line of a return label.
    ReturnAddressee,
}

/// An operator as its end customers know it.
#[derive(Clone, Copy, Debug)]
pub struct Brand<'b> {
    /// Name.
    pub name: &'b str,
    /// Telephone of its support; empty if none.
    pub phone: &'b str,
}

/// When the technician is awaited, in the time of the place.
#[derive(Clone, Copy, Debug)]
pub struct Visit<'v> {
    /// Day.
    pub day: Date,
    /// Start, `HH:MM`.
    pub start: &'v str,
    /// End, `HH:MM`.
    pub end: &'v str,
}

/// The texts of one piece of work. `latest`: the box that is to come back is the one that the order sent.
#[must_use]
pub fn texts(
    capability: Capability,
    order: Type,
    latest: bool,
    brand: Brand<'_>,
    visit: Option<Visit<'_>>,
) -> Vec<(Kind, String)> {
    let Brand { name, phone } = brand;
    let help = if phone.is_empty() { String::new() } else { format!(" Une question ? {phone}") };
    let message = |kind, said: &str| (kind, format!("{name} : {said}{help}"));
    let on_label = if phone.is_empty() { String::new() } else { format!(", tél. {phone}") };
    let exchange = order == Type::BoxExchange;
    let sent_again =
        || message(Kind::BoxSentAgain, "votre box s'est perdue en route, une autre vous est envoyée.");
    match capability {
        Capability::Shipping => {
            let which = if exchange { "nouvelle box" } else { "box" };
            vec![
                (Kind::ParcelSender, format!("Expéditeur : {name}{on_label}")),
                message(Kind::BoxOnItsWay, &format!("votre {which} fibre est en route.")),
                message(
                    Kind::BoxNotSent,
                    &format!("nous n'avons pas pu vous envoyer votre {which}. Nous revenons vers vous."),
                ),
            ]
        }
        Capability::Installation => {
            let mut texts = Vec::new();
            if let Some(visit) = visit {
                let contact = if phone.is_empty() { "Contactez-nous." } else { phone };
                let when = when(visit);
                let text = format!(
                    "{name} : le technicien vient installer votre fibre {when}. Un imprévu ? {contact}"
                );
                texts.push((Kind::VisitAnnounced, text));
            }
            let again =
                if phone.is_empty() { "contactez-nous.".to_owned() } else { format!("appelez le {phone}.") };
            texts.extend([
                sent_again(),
                message(
                    Kind::TechnicianOnTheWay,
                    "le technicien est en route pour installer votre fibre. Merci de rester joignable.",
                ),
                (
                    Kind::VisitMissed,
                    format!(
                        "{name} : le technicien est passé mais vous n'étiez pas là. Pour un nouveau rendez-vous, {again}"
                    ),
                ),
                message(
                    Kind::VisitFailed,
                    "l'installation de votre fibre n'a pas pu se faire. Nous revenons vers vous.",
                ),
            ]);
            texts
        }
        Capability::Activation => {
            vec![
                sent_again(),
                message(Kind::AccessOn, "votre fibre est en service, il ne reste qu'à brancher votre box."),
                message(
                    Kind::AccessNotOn,
                    "la mise en service de votre fibre n'a pas pu se faire. Nous revenons vers vous.",
                ),
            ]
        }
        Capability::Disconnection => vec![message(Kind::AccessOff, "votre fibre est résiliée.")],
        Capability::Returns => {
            let which = match (exchange, latest) {
                (true, true) => "la box que vous venez de recevoir",
                (true, false) => "votre ancienne box",
                (false, _) => "votre box",
            };
            let mut texts = Vec::new();
            if exchange && !latest {
                texts.push(sent_again());
            }
            texts.extend([
                message(
                    Kind::BoxAwaited,
                    &format!("merci de nous renvoyer {which} avec son étiquette de retour."),
                ),
                (Kind::ReturnAddressee, format!("Destinataire : {name}, service retours{on_label}")),
            ]);
            texts
        }
    }
}

/// Day and hours in words: `le mardi 1er décembre, entre 8 h et 12 h`.
fn when(visit: Visit<'_>) -> String {
    const MONTHS: [&str; 12] = [
        "janvier",
        "février",
        "mars",
        "avril",
        "mai",
        "juin",
        "juillet",
        "aout",
        "septembre",
        "octobre",
        "novembre",
        "décembre",
    ];
    let weekday = match visit.day.weekday() {
        Weekday::Monday => "lundi",
        Weekday::Tuesday => "mardi",
        Weekday::Wednesday => "mercredi",
        Weekday::Thursday => "jeudi",
        Weekday::Friday => "vendredi",
        Weekday::Saturday => "samedi",
        Weekday::Sunday => "dimanche",
    };
    let day = match visit.day.day() {
        1 => "1er".to_owned(),
        day => day.to_string(),
    };
    let month = usize::try_from(visit.day.month() - 1).ok().and_then(|n| MONTHS.get(n)).unwrap_or(&"");
    format!("le {weekday} {day} {month}, entre {} et {}", hour(visit.start), hour(visit.end))
}

/// `08:00` as `8 h`, `13:30` as `13 h 30`.
fn hour(time: &str) -> String {
    let (hours, minutes) = time.split_once(':').unwrap_or((time, "00"));
    let hours = match hours.trim_start_matches('0') {
        "" => "0",
        hours => hours,
    };
    if minutes == "00" { format!("{hours} h") } else { format!("{hours} h {minutes}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    const ALPHA: Brand<'_> = Brand { name: "Alpha Box", phone: "0199000100" };
    const BETA: Brand<'_> = Brand { name: "Beta", phone: "" };
    const VISIT: Visit<'_> = Visit { day: date(2026, 12, 1), start: "08:00", end: "12:30" };

    fn lines(capability: Capability, order: Type, brand: Brand<'_>, visit: Option<Visit<'_>>) -> Vec<String> {
        texts(capability, order, false, brand, visit).into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn what_an_end_customer_reads() {
        use Capability as C;
        assert_eq!(
            lines(C::Shipping, Type::Creation, ALPHA, None),
            [
                "Expéditeur : Alpha Box, tél. 0199000100",
                "Alpha Box : votre box fibre est en route. Une question ? 0199000100",
                "Alpha Box : nous n'avons pas pu vous envoyer votre box. Nous revenons vers vous. Une question ? 0199000100"
            ]
        );
        assert_eq!(
            lines(C::Installation, Type::Creation, ALPHA, Some(VISIT)),
            [
                "Alpha Box : le technicien vient installer votre fibre le mardi 1er décembre, entre 8 h et 12 h 30. Un imprévu ? 0199000100",
                "Alpha Box : votre box s'est perdue en route, une autre vous est envoyée. Une question ? 0199000100",
                "Alpha Box : le technicien est en route pour installer votre fibre. Merci de rester joignable. Une question ? 0199000100",
                "Alpha Box : le technicien est passé mais vous n'étiez pas là. Pour un nouveau rendez-vous, appelez le 0199000100.",
                "Alpha Box : l'installation de votre fibre n'a pas pu se faire. Nous revenons vers vous. Une question ? 0199000100",
            ]
        );
        assert_eq!(
            lines(C::Returns, Type::BoxExchange, ALPHA, None),
            [
                "Alpha Box : votre box s'est perdue en route, une autre vous est envoyée. Une question ? 0199000100",
                "Alpha Box : merci de nous renvoyer votre ancienne box avec son étiquette de retour. Une question ? 0199000100",
                "Destinataire : Alpha Box, service retours, tél. 0199000100"
            ]
        );
        // The exchange was cancelled, and its box left all the same: the old one works, and stays.
        let awaited = texts(C::Returns, Type::BoxExchange, true, ALPHA, None).remove(0);
        assert_eq!(
            awaited,
            (
                Kind::BoxAwaited,
                "Alpha Box : merci de nous renvoyer la box que vous venez de recevoir avec son étiquette de retour. \
                 Une question ? 0199000100"
                    .to_owned()
            )
        );
    }

    #[test]
    fn a_brand_without_a_telephone_reads_well_too() {
        use Capability as C;
        assert_eq!(
            lines(C::Installation, Type::Creation, BETA, Some(VISIT)),
            [
                "Beta : le technicien vient installer votre fibre le mardi 1er décembre, entre 8 h et 12 h 30. Un imprévu ? Contactez-nous.",
                "Beta : votre box s'est perdue en route, une autre vous est envoyée.",
                "Beta : le technicien est en route pour installer votre fibre. Merci de rester joignable.",
                "Beta : le technicien est passé mais vous n'étiez pas là. Pour un nouveau rendez-vous, contactez-nous.",
                "Beta : l'installation de votre fibre n'a pas pu se faire. Nous revenons vers vous.",
            ]
        );
        assert_eq!(
            lines(C::Shipping, Type::BoxExchange, BETA, None),
            [
                "Expéditeur : Beta",
                "Beta : votre nouvelle box fibre est en route.",
                "Beta : nous n'avons pas pu vous envoyer votre nouvelle box. Nous revenons vers vous."
            ]
        );
        assert_eq!(
            lines(C::Returns, Type::Termination, BETA, None),
            [
                "Beta : merci de nous renvoyer votre box avec son étiquette de retour.",
                "Destinataire : Beta, service retours"
            ]
        );
        assert_eq!(lines(C::Installation, Type::Creation, BETA, None).len(), 4, "no visit, no announcement");
    }

    #[test]
    fn days_and_hours_in_words() {
        let said = |day, start, end| when(Visit { day, start, end });
        assert_eq!(said(date(2027, 8, 14), "00:15", "09:05"), "le samedi 14 aout, entre 0 h 15 et 9 h 05");
        assert_eq!(said(date(2027, 2, 28), "13:00", "17:00"), "le dimanche 28 février, entre 13 h et 17 h");
    }

    /// Letters beyond ASCII that a text message has (GSM 03.38) and that French needs.
    #[test]
    fn a_message_is_one_message() {
        // Twenty characters of name, an international telephone or none, the longest day.
        let brands = ["+33199000100", ""].map(|phone| Brand { name: "Compagnie Alpha Box.", phone });
        let visit = Visit { day: date(2026, 9, 30), start: "13:30", end: "17:30" };
        for capability in Capability::ALL {
            for order in Type::ALL {
                let each = brands
                    .into_iter()
                    .flat_map(|brand| [(brand, false), (brand, true)])
                    .flat_map(|(brand, latest)| texts(*capability, *order, latest, brand, Some(visit)));
                for (kind, text) in each {
                    assert!(text.chars().count() <= 160, "{kind:?}: {} {text}", text.chars().count());
                    let foreign = text.chars().find(|c| !c.is_ascii() && !"éèùìòàäöñüÇÉ".contains(*c));
                    assert_eq!(foreign, None, "{kind:?}: {text}");
                    assert!(text.contains("Compagnie Alpha Box."), "{kind:?}: {text}");
                }
            }
        }
    }
}
