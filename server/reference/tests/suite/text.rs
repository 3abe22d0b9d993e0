use eservices_reference::GO_ON;
use eservices_reference::text::{Encoding, Error, Lines, MAX_LINE, detect, digest, encoding, whole};
use proptest::prelude::*;
use std::io::{Cursor, Read, Write};
use std::path::Path;

/// The encoding, and every line or why it is none.
fn lines(bytes: &[u8]) -> (Encoding, Vec<Result<String, String>>) {
    let encoding = detect(&mut Cursor::new(bytes)).unwrap();
    let mut input = Cursor::new(bytes);
    let mut lines = Lines::new(&mut input, encoding);
    let mut found = Vec::new();
    while let Some(line) = lines.next_line().unwrap() {
        found.push(line.text.map(str::to_owned));
        assert_eq!(line.number, found.len() as u64);
    }
    (encoding, found)
}

fn text(line: &str) -> Result<String, String> {
    Ok(line.to_owned())
}

#[test]
fn encodings_in_order_of_trial() {
    assert_eq!(lines("Châteaudun".as_bytes()), (Encoding::Utf8, vec![text("Châteaudun")]));
    assert_eq!(lines(b"\xef\xbb\xbfIMB"), (Encoding::Utf8Bom, vec![text("IMB")]));
    assert_eq!(lines(b"Ch\xe2teaudun \x80"), (Encoding::Windows1252, vec![text("Châteaudun €")]));
    assert_eq!(lines(b"\xe9\x81"), (Encoding::Latin1, vec![text("é\u{81}")]));
    assert_eq!(lines(b""), (Encoding::Utf8, vec![]));
}

#[test]
fn the_majority_decides_and_the_others_say_so() {
    let (encoding, found) = lines(b"a\n\xc3\xa9\n\xc3\xa8\n\xe9\n");
    assert_eq!(encoding, Encoding::Utf8);
    let not = |name: &str| Err(format!("not in the file's encoding {name}"));
    assert_eq!(found, [text("a"), text("é"), text("è"), not("UTF-8")]);
    let (encoding, found) = lines(b"a\n\xc3\xa9\n\xe8\n\xe9\n");
    assert_eq!(encoding, Encoding::Windows1252);
    assert_eq!(found, [text("a"), not("Windows-1252"), text("è"), text("é")]);
    assert_eq!(lines(b"\xc3\xa9\n\xe8\n").0, Encoding::Utf8, "as many of both");
}

#[test]
fn ends_of_lines() {
    assert_eq!(lines(b"a\r\n\r\nb\n\nc").1, ["a", "", "b", "", "c"].map(text));
}

#[test]
fn long_lines_and_nul_are_refused_alone() {
    let long = "x".repeat(MAX_LINE);
    for end in ["\n", "\r\n", ""] {
        assert_eq!(lines(format!("{long}{end}").as_bytes()).1, [text(&long)], "{end:?}");
    }
    let (_, found) = lines(format!("a\n{long}y\nb\n{long}{long}z\r\nc\0d\ne").as_bytes());
    let too_long = Err("the line is longer than 1048576 bytes".to_owned());
    let nul = Err("the line holds a NUL byte".to_owned());
    assert_eq!(found, [text("a"), too_long.clone(), text("b"), too_long, nul, text("e")]);
}

#[test]
fn a_line_of_a_gigabyte_is_not_held() {
    let mut input = std::io::BufReader::new(std::io::repeat(b'x').take(1 << 30));
    let mut lines = Lines::new(&mut input, Encoding::Utf8);
    assert!(lines.next_line().unwrap().unwrap().text.is_err());
    assert!(lines.next_line().unwrap().is_none());
}

fn zipped(entries: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text) in entries {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn file(folder: &Path, bytes: &[u8]) -> std::path::PathBuf {
    let path = folder.join("input");
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn plain_zip_and_gzip_give_the_same_text() {
    let folder = tempfile::tempdir().unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all("a;é\n".as_bytes()).unwrap();
    let zip = zipped(&[("LISEZMOI.txt", "x"), ("x/IPE.CSV", "a;é\n")]);
    for bytes in ["a;é\n".as_bytes().to_vec(), gzip.finish().unwrap(), zip] {
        let path = file(folder.path(), &bytes);
        assert_eq!(whole(&path).unwrap(), "a;é\n");
        assert_eq!(encoding(&path, &mut |_| GO_ON).unwrap(), Encoding::Utf8);
        assert_eq!(digest(&path, &mut |_| GO_ON).unwrap().bytes, bytes.len() as u64);
    }
}

#[test]
fn the_hash_is_that_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut read = 0;
    let digest = digest(&file(folder.path(), b"abc"), &mut |bytes| {
        read = bytes;
        GO_ON
    })
    .unwrap();
    assert_eq!(read, 3);
    assert_eq!(digest.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

#[test]
fn a_zip_must_hold_one_csv() {
    let folder = tempfile::tempdir().unwrap();
    let none = whole(&file(folder.path(), &zipped(&[("a.txt", "")]))).unwrap_err();
    assert!(matches!(none, Error::NotOneCsv { found: 0, .. }), "{none}");
    let two = whole(&file(folder.path(), &zipped(&[("a.csv", ""), ("b.csv", "")]))).unwrap_err();
    assert!(two.to_string().ends_with("input: expected one csv file inside, found 2"), "{two}");
}

#[test]
fn damaged_archives_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let cut = zipped(&[("a.csv", "some text")]);
    assert!(matches!(whole(&file(folder.path(), &cut[..20])), Err(Error::Unpack { .. })));
    assert!(matches!(whole(&file(folder.path(), b"\x1f\x8b\x08\x00")), Err(Error::Unpack { .. })));
    assert!(matches!(whole(&folder.path().join("absent")), Err(Error::Read { .. })));
}

proptest! {
    #[test]
    fn utf8_is_never_changed(line in "[^\u{feff}\u{0}\r\n]\\PC{0,40}") {
        prop_assert_eq!(lines(line.as_bytes()), (Encoding::Utf8, vec![Ok(line)]));
    }

    #[test]
    fn any_bytes_decode(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = lines(&bytes);
    }
}
