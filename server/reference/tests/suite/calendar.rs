use eservices_reference::calendar::{Territory, holiday, holidays, is_working_day};
use eservices_reference::ids::Insee;
use jiff::civil::{Date, date};
use std::collections::BTreeSet;
use std::path::Path;

fn name(territory: Territory, day: Date) -> Option<&'static str> {
    holiday(territory, day).map(|holiday| holiday.name_fr)
}

#[test]
fn easter_monday_follows_easter() {
    for easter in [date(2019, 4, 21), date(2020, 4, 12), date(2024, 3, 31), date(2026, 4, 5)] {
        let monday = easter.tomorrow().unwrap();
        assert_eq!(name(Territory::Metropole, monday), Some("Lundi de Pâques"), "{monday}");
        assert_eq!(name(Territory::Metropole, easter), None, "Easter Sunday itself is no public holiday");
    }
}

#[test]
fn mainland_2019() {
    let days: Vec<_> =
        holidays(Territory::Metropole, 2019).into_iter().map(|h| (h.date, h.name_fr)).collect();
    assert_eq!(
        days,
        [
            (date(2019, 1, 1), "1er janvier"),
            (date(2019, 4, 22), "Lundi de Pâques"),
            (date(2019, 5, 1), "1er mai"),
            (date(2019, 5, 8), "8 mai"),
            (date(2019, 5, 30), "Ascension"),
            (date(2019, 6, 10), "Lundi de Pentecôte"),
            (date(2019, 7, 14), "14 juillet"),
            (date(2019, 8, 15), "Assomption"),
            (date(2019, 11, 1), "Toussaint"),
            (date(2019, 11, 11), "11 novembre"),
            (date(2019, 12, 25), "Jour de Noël"),
        ]
    );
}

#[test]
fn abolition_days() {
    let abolition = Some("Abolition de l'esclavage");
    assert_eq!(name(Territory::Mayotte, date(2026, 4, 27)), abolition);
    assert_eq!(name(Territory::Martinique, date(2026, 5, 22)), abolition);
    assert_eq!(name(Territory::Guadeloupe, date(2026, 5, 27)), abolition);
    assert_eq!(name(Territory::SaintMartin, date(2017, 5, 27)), abolition);
    assert_eq!(name(Territory::SaintMartin, date(2018, 5, 27)), None);
    assert_eq!(name(Territory::SaintMartin, date(2018, 5, 28)), abolition);
    assert_eq!(name(Territory::SaintMartin, date(2026, 5, 28)), abolition);
    assert_eq!(name(Territory::Guyane, date(2026, 6, 10)), abolition);
    assert_eq!(name(Territory::SaintBarthelemy, date(2026, 10, 9)), abolition);
    assert_eq!(name(Territory::Reunion, date(2026, 12, 20)), abolition);
    for territory in
        [Territory::Metropole, Territory::Polynesie, Territory::NouvelleCaledonie, Territory::WallisEtFutuna]
    {
        assert_eq!(holidays(territory, 2026).len(), 11, "{territory:?}");
    }
}

#[test]
fn alsace_moselle() {
    assert_eq!(name(Territory::AlsaceMoselle, date(2026, 4, 3)), Some("Vendredi saint"));
    assert_eq!(name(Territory::AlsaceMoselle, date(2026, 12, 26)), Some("2ème jour de Noël"));
    assert_eq!(name(Territory::Metropole, date(2026, 4, 3)), None);
    assert_eq!(holidays(Territory::AlsaceMoselle, 2026).len(), 13);
}

#[test]
fn two_holidays_on_one_day_are_both_listed() {
    let on_10_june =
        holidays(Territory::Guyane, 2019).into_iter().filter(|h| h.date == date(2019, 6, 10)).count();
    assert_eq!(on_10_june, 2);
}

#[test]
fn working_days() {
    assert!(is_working_day(Territory::Metropole, date(2019, 6, 15)), "a Saturday");
    assert!(!is_working_day(Territory::Metropole, date(2019, 6, 16)), "a Sunday");
    assert!(!is_working_day(Territory::Metropole, date(2019, 5, 30)), "Ascension, a Thursday");
    assert!(is_working_day(Territory::Metropole, date(2019, 5, 31)));
    let weekdays = (1..=365).filter(|day| {
        let day = date(2019, 1, 1).saturating_add(jiff::Span::new().days(day - 1));
        is_working_day(Territory::Metropole, day) && day.weekday() != jiff::civil::Weekday::Saturday
    });
    assert_eq!(weekdays.count(), 251);
}

#[test]
fn territory_of_a_commune() {
    for (insee, territory) in [
        ("77058", Territory::Metropole),
        ("2A004", Territory::Metropole),
        ("57463", Territory::AlsaceMoselle),
        ("67482", Territory::AlsaceMoselle),
        ("68224", Territory::AlsaceMoselle),
        ("97105", Territory::Guadeloupe),
        ("97123", Territory::SaintBarthelemy),
        ("97127", Territory::SaintMartin),
        ("97209", Territory::Martinique),
        ("97302", Territory::Guyane),
        ("97411", Territory::Reunion),
        ("97502", Territory::SaintPierreEtMiquelon),
        ("97608", Territory::Mayotte),
        ("97701", Territory::SaintBarthelemy),
        ("97801", Territory::SaintMartin),
        ("98613", Territory::WallisEtFutuna),
        ("98735", Territory::Polynesie),
        ("98818", Territory::NouvelleCaledonie),
    ] {
        assert_eq!(Territory::of_insee(&Insee::parse(insee).unwrap()), territory, "{insee}");
    }
}

#[test]
fn every_time_zone_exists() {
    for territory in Territory::ALL {
        let zone = jiff::tz::TimeZone::get(territory.time_zone());
        assert!(zone.is_ok(), "{territory:?}: {zone:?}");
    }
}

/// Against the public list, where the shared data folder is there; the tests above hold in a fresh clone.
#[test]
fn same_as_the_public_list() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/data/calendar/jours_feries_2018_2032.csv");
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("not run: {} is absent", path.display());
        return;
    };
    let mut listed = BTreeSet::new();
    for row in text.lines().skip(1).filter(|row| !row.is_empty()) {
        let [_, zone, day, name] = row.split(',').collect::<Vec<_>>()[..] else { panic!("{row}") };
        let zone = zone
            .replace("Saint-Barthélémy", "Saint-Barthélemy")
            .replace("Polynésie Française", "Polynésie française");
        listed.insert((zone, day.parse::<Date>().unwrap(), name.to_owned()));
    }
    assert_eq!(listed.len(), 2280);
    let mut computed = BTreeSet::new();
    for territory in Territory::ALL {
        for year in 2018..=2032 {
            computed.extend(
                holidays(territory, year)
                    .into_iter()
                    .map(|h| (territory.name_fr().to_owned(), h.date, h.name_fr.to_owned())),
            );
        }
    }
    let missing: Vec<_> = listed.difference(&computed).collect();
    let surplus: Vec<_> = computed.difference(&listed).collect();
    assert!(missing.is_empty() && surplus.is_empty(), "missing {missing:?}, surplus {surplus:?}");
}
