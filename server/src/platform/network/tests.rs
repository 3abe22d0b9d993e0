//! The overlay over the demo's release, and its tables on both engines.

use std::path::Path;

use eservices_reference::ids::Pm;
use eservices_reference::structure::Place;

use super::*;
use crate::platform::testing::on_each_engine;

fn reference() -> Arc<Reference> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo-data");
    Arc::new(Reference::from_files(&folder).unwrap())
}

fn na() -> Place {
    Place { batiment: "_NA_".into(), escalier: "_NA_".into(), etage: "_NA_".into() }
}

fn socket(pto: &str, state: &str) -> Line {
    Line {
        imb: Imb::parse("IMB/77058/X/0218").unwrap(),
        place: na(),
        pto: Pto::parse(pto).unwrap(),
        pbo: Some("PT 002053".into()),
        state: state.into(),
    }
}

fn changed(pm: &str, line: &Line) -> Changed {
    Changed { pm: pm.into(), line: line.clone(), release: reference().release().name.as_str().into() }
}

/// Eight fibres and the neighbour's line in the release: one laid since leaves six to hold.
#[tokio::test]
async fn a_box_never_holds_more_than_is_left() {
    on_each_engine(|db| async move {
        let (pm, reference) = (Pm::parse("FI-77058-000B").unwrap(), reference());
        let mut tx = db.begin().await.unwrap();
        store::put_line(&mut tx.conn(), &socket("FI-ZZZZ-0001", "ACTIVE"), &pm, "r").await.unwrap();
        for _ in 0..6 {
            assert!(store::hold_fibre(&mut tx.conn(), &pm, "PT 002053", &reference).await.unwrap());
        }
        assert!(!store::hold_fibre(&mut tx.conn(), &pm, "PT 002053", &reference).await.unwrap());
        assert!(
            !store::hold_fibre(&mut tx.conn(), &pm, "PT 999999", &reference).await.unwrap(),
            "no such box"
        );
        tx.rollback().await.unwrap();
    })
    .await;
}

/// The box PT 002053 of the slides' house has 8 fibres in the demo's structure file; the house has no line.
#[test]
fn a_socket_laid_since_is_a_line_and_takes_a_fibre() {
    let current = Current::new(reference(), 0);
    let imb = Imb::parse("IMB/77058/X/0218").unwrap();
    let before = current.load();
    let row = before.reference.structure(&imb)[0].clone();
    let free = before.free_fibres(&row).unwrap();
    assert!(before.lines(&imb).is_empty());

    let laid = socket("FI-ZZZZ-0001", "ACTIVE");
    let held = ("FI-77058-000B".into(), "PT 002053".into(), 2);
    current.follow(Overlay::new(1, [changed("FI-77058-000B", &laid)], [held]));
    let after = current.load();
    assert_eq!(*after.lines(&imb), *std::slice::from_ref(&laid));
    assert_eq!(after.line(&laid.pto), Some(&laid));
    assert_eq!(after.free_fibres(&row), Some(free - 3));
    assert!(before.lines(&imb).is_empty(), "who began before sees what was before");

    current.follow(Overlay::new(1, [], []));
    assert_eq!(current.load().lines(&imb).len(), 1, "the same revision again changes nothing");
    current.follow(Overlay::new(2, [], []));
    assert_eq!(current.load().free_fibres(&row), Some(free));
}

#[test]
fn a_line_that_the_release_has_takes_its_fibre_once() {
    let current = Current::new(reference(), 0);
    let imb = Imb::parse("IMB/75109/C/2182").unwrap();
    let network = current.load();
    let known = network.reference.lines(&imb)[0].clone();
    let row = network.reference.structure(&imb).iter().find(|row| row.pbo == known.pbo).unwrap().clone();
    let free = network.free_fibres(&row);
    let ended = Line { state: "INACTIVE".into(), ..known.clone() };
    current.follow(Overlay::new(1, [changed(row.pm.as_str(), &ended)], []));
    let network = current.load();
    assert_eq!(network.free_fibres(&row), free);
    assert_eq!(network.line(&known.pto), Some(&ended));
    assert_eq!(network.lines(&imb).len(), network.reference.lines(&imb).len());
    // Written while another release was served: what this one says of the socket counts.
    let earlier = Changed { release: "earlier".into(), ..changed(row.pm.as_str(), &ended) };
    current.follow(Overlay::new(2, [earlier], []));
    assert_eq!(current.load().line(&known.pto), Some(&known));
    assert_eq!(*current.load().lines(&imb), *network.reference.lines(&imb));
}

#[test]
fn a_change_of_release_that_comes_late_is_none() {
    let (first, late) = (reference(), reference());
    let current = Current::new(Arc::clone(&first), 5);
    current.activate(Arc::clone(&late), 4);
    assert!(Arc::ptr_eq(&current.load().reference, &first));
    current.activate(Arc::clone(&late), 6);
    assert!(Arc::ptr_eq(&current.load().reference, &late));
    assert_eq!(current.load().activation, 6);
}

#[tokio::test]
async fn what_orders_write_is_read_back() {
    on_each_engine(|db| async move {
        let pm = Pm::parse("FI-77058-000B").unwrap();
        let mut tx = db.begin().await.unwrap();
        for _ in 0..2 {
            assert!(store::hold_fibre(&mut tx.conn(), &pm, "PT 002053", &reference()).await.unwrap());
        }
        store::put_line(&mut tx.conn(), &socket("FI-ZZZZ-0001", "ACTIVE"), &pm, "r").await.unwrap();
        store::put_line(&mut tx.conn(), &socket("FI-ZZZZ-0001", "INACTIVE"), &pm, "r").await.unwrap();
        tx.commit().await.unwrap();
        let mut reader = db.read().await.unwrap();
        assert_eq!(store::revision(&mut reader.conn()).await.unwrap(), 4);
        let overlay = store::read(&mut reader.conn()).await.unwrap().unwrap();
        let line = socket("FI-ZZZZ-0001", "INACTIVE");
        assert_eq!(overlay.line(&line.pto, &reference()), Some(&line));
        assert_eq!(overlay.laid("FI-77058-000B", "PT 002053", &reference()), 1);
        assert_eq!(overlay.held("FI-77058-000B", "PT 002053"), 2);
        drop(reader);
        let mut tx = db.begin().await.unwrap();
        assert!(store::release_fibre(&mut tx.conn(), &pm, "PT 002053").await.unwrap());
        assert!(store::release_fibre(&mut tx.conn(), &pm, "PT 002053").await.unwrap());
        assert!(!store::release_fibre(&mut tx.conn(), &pm, "PT 002053").await.unwrap(), "none is held");
        tx.rollback().await.unwrap();
    })
    .await;
}
