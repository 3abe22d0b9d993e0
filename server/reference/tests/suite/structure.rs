use eservices_reference::structure::{NA, coded, read_lines, read_structure};

const HEADER: &str =
    "IMB;batiment;escalier;etage;PM;PMT;PBO;type_PBO;localisation_PBO;fibres_PBO;lien_PM_PRDM;logements";

#[test]
fn the_row_of_the_slide() {
    let text = format!(
        "{HEADER}\nIMB/77058/X/0218;_NA_;_NA_;;FI-77058-000B;PT 001113;PT 002053;CH:EN CHAMBRE;DEVANT LE 6;8;\
         77243LAG_FI-77058-000B;1\n"
    );
    let file = read_structure("structure.csv", &text).unwrap();
    assert_eq!(file.problems, []);
    let row = &file.rows[0].1;
    assert_eq!((&*row.place.batiment, &*row.place.escalier, &*row.place.etage), (NA, NA, NA));
    assert_eq!((row.pmt.as_deref(), row.pbo.as_deref()), (Some("PT 001113"), Some("PT 002053")));
    assert_eq!((row.pbo_fibres, row.housings), (Some(8), Some(1)));
    assert_eq!(row.pm_prdm_link.as_deref(), Some("77243LAG_FI-77058-000B"));
    assert_eq!(coded(row.pbo_type.as_deref().unwrap()), ("CH", "EN CHAMBRE"));
    assert_eq!(coded("PME"), ("PME", "PME"));
}

#[test]
fn unknown_is_not_zero() {
    let text = format!("{HEADER}\nIMB/77058/X/0218;A;B;3;FI-77058-000B;;;;;;;\n");
    let row = read_structure("structure.csv", &text).unwrap().rows[0].1.clone();
    assert_eq!((row.pbo, row.pbo_fibres, row.housings), (None, None, None));
}

#[test]
fn bad_rows_are_reported() {
    let text = format!(
        "{HEADER}\nIMB/77058/X/0218;A;B;3;;;;;;;;\nIMB/1;A;B;3;FI-77058-000B;;;;;;;\n\
         IMB/77058/X/0218;A;B;3;FI-77058-000B;;;;;many;;\nshort\n"
    );
    let file = read_structure("structure.csv", &text).unwrap();
    assert_eq!((file.count, file.rows.len()), (4, 0));
    let found: Vec<_> = file.problems.iter().map(|p| (p.line, p.column.as_str(), p.value.as_str())).collect();
    assert_eq!(found, [(2, "PM", ""), (3, "IMB", "IMB/1"), (4, "fibres_PBO", "many"), (5, "", "short")]);
}

#[test]
fn lines() {
    let text = "PTO;IMB;batiment;escalier;etage;PBO;etat\n\
        FI-1A00-0002;IMB/75109/C/2182;_NA_;_NA_;2;PT 003001;ACTIVE\n\
        FI-1A00-2;IMB/75109/C/2182;_NA_;_NA_;2;PT 003001;ACTIVE\n\
        FI-1A00-0003;IMB/75109/C/2182;_NA_;_NA_;2;PT 003001;\n";
    let file = read_lines("lignes.csv", text).unwrap();
    assert_eq!(file.rows.len(), 1);
    assert_eq!(file.rows[0].1.pto.as_str(), "FI-1A00-0002");
    let found: Vec<_> = file.problems.iter().map(|p| (p.line, p.column.as_str())).collect();
    assert_eq!(found, [(3, "PTO"), (4, "etat")]);
    let error = read_lines("lignes.csv", "PTO;IMB\n").unwrap_err();
    assert_eq!(error.to_string(), "lignes.csv: column batiment is missing");
}
