use eservices_reference::text::{Encoding, Error, decode, read};
use proptest::prelude::*;
use std::io::Write;
use std::path::Path;

#[test]
fn encodings_in_order_of_trial() {
    assert_eq!(decode("Châteaudun".into()), ("Châteaudun".to_owned(), Encoding::Utf8));
    assert_eq!(decode(b"\xef\xbb\xbfIMB".to_vec()), ("IMB".to_owned(), Encoding::Utf8Bom));
    assert_eq!(decode(b"Ch\xe2teaudun \x80".to_vec()), ("Châteaudun €".to_owned(), Encoding::Windows1252));
    assert_eq!(decode(b"\xe9\x81".to_vec()), ("é\u{81}".to_owned(), Encoding::Latin1));
    assert_eq!(decode(Vec::new()), (String::new(), Encoding::Utf8));
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
        let source = read(&file(folder.path(), &bytes)).unwrap();
        assert_eq!(source.text, "a;é\n");
        assert_eq!(source.name, "input");
        assert_eq!(source.bytes, bytes.len() as u64);
    }
}

#[test]
fn the_hash_is_that_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let source = read(&file(folder.path(), b"abc")).unwrap();
    assert_eq!(source.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

#[test]
fn a_zip_must_hold_one_csv() {
    let folder = tempfile::tempdir().unwrap();
    let none = read(&file(folder.path(), &zipped(&[("a.txt", "")]))).unwrap_err();
    assert!(matches!(none, Error::NotOneCsv { found: 0, .. }), "{none}");
    let two = read(&file(folder.path(), &zipped(&[("a.csv", ""), ("b.csv", "")]))).unwrap_err();
    assert!(two.to_string().ends_with("input: expected one csv file inside, found 2"), "{two}");
}

#[test]
fn damaged_archives_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let cut = zipped(&[("a.csv", "some text")]);
    assert!(matches!(read(&file(folder.path(), &cut[..20])), Err(Error::Unpack { .. })));
    assert!(matches!(read(&file(folder.path(), b"\x1f\x8b\x08\x00")), Err(Error::Unpack { .. })));
    assert!(matches!(read(&folder.path().join("absent")), Err(Error::Read { .. })));
}

proptest! {
    #[test]
    fn utf8_is_never_changed(text in "[^\u{feff}]\\PC{0,40}") {
        prop_assert_eq!(decode(text.clone().into_bytes()), (text, Encoding::Utf8));
    }

    #[test]
    fn any_bytes_decode(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = decode(bytes);
    }
}
