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
        let overlay = store::read(&mut reader.conn()).await.unwrap();
        assert_eq!(overlay.revision(), 4);
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

fn import(id: &str, started_at: i64) -> imports::ImportRow {
    imports::ImportRow {
        import_id: id.into(),
        party_id: "s-a".into(),
        state: "running".into(),
        files: "a.csv\nb.csv".into(),
        serve: 1,
        node: "n1".into(),
        started_at,
        ..imports::ImportRow::default()
    }
}

fn end(state: &'static str) -> imports::End {
    imports::End { state, row_count: 7, refused: 2, remarks: 1, release: "r".into(), fault: "f".into() }
}

#[tokio::test]
async fn one_import_runs_at_a_time_and_its_node_alone_ends_it() {
    on_each_engine(|db| async move {
        let mut tx = db.begin().await.unwrap();
        assert!(imports::insert(&mut tx.conn(), &import("a", 10)).await.unwrap());
        assert!(!imports::insert(&mut tx.conn(), &import("b", 20)).await.unwrap(), "another one runs");
        tx.commit().await.unwrap();
        let beat = |node: &'static str| imports::beat(&db, "a", node, (3, 100, 900));
        assert_eq!(beat("n1").await.unwrap(), Some(imports::Told { cancelled: 0 }));
        assert_eq!(beat("n2").await.unwrap(), None, "it is not this node's");
        let mut tx = db.begin().await.unwrap();
        assert!(imports::cancel(&mut tx.conn(), "a").await.unwrap());
        assert!(!imports::cancel(&mut tx.conn(), "b").await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(beat("n1").await.unwrap(), Some(imports::Told { cancelled: 1 }));
        let mut tx = db.begin().await.unwrap();
        let found = imports::find(&mut tx.conn(), "a").await.unwrap().unwrap();
        assert_eq!((found.phase, found.done, found.total, found.ended_at), (3, 100, 900, None));
        let running = imports::running(&mut tx.conn()).await.unwrap().unwrap();
        assert_eq!(
            (running.import_id.as_str(), running.party_id.as_str(), running.heartbeat),
            ("a", "s-a", 2)
        );
        // Seen at an earlier beat: it lives.
        let before = imports::Running { heartbeat: 1, ..running.clone() };
        assert!(!imports::bury(&mut tx.conn(), &before, ("failed", "gone"), 5).await.unwrap());
        assert_eq!(imports::lock(&mut tx.conn(), "a", "n2").await.unwrap(), None);
        assert!(imports::lock(&mut tx.conn(), "a", "n1").await.unwrap().is_some());
        imports::end(&mut tx.conn(), "a", &end("done"), true, 30).await.unwrap();
        // What is over stays as it is.
        imports::end(&mut tx.conn(), "a", &end("failed"), false, 40).await.unwrap();
        assert!(!imports::bury(&mut tx.conn(), &running, ("failed", "gone"), 50).await.unwrap());
        let over = imports::find(&mut tx.conn(), "a").await.unwrap().unwrap();
        assert_eq!((over.state.as_str(), over.row_count, over.refused, over.remarks), ("done", 7, 2, 1));
        assert_eq!((over.release.as_str(), over.served, over.ended_at), ("r", 1, Some(30)));
        assert_eq!(imports::lock(&mut tx.conn(), "a", "n1").await.unwrap(), None);
        assert!(imports::insert(&mut tx.conn(), &import("b", 20)).await.unwrap());
        let running = imports::running(&mut tx.conn()).await.unwrap().unwrap();
        assert!(imports::bury(&mut tx.conn(), &running, ("failed", "gone"), 60).await.unwrap());
        assert!(imports::running(&mut tx.conn()).await.unwrap().is_none());
        let page = imports::page(&mut tx.conn(), (i64::MAX, ""), 10).await.unwrap();
        assert_eq!(page.iter().map(|row| row.import_id.as_str()).collect::<Vec<_>>(), ["b", "a"]);
        let page = imports::page(&mut tx.conn(), (20, "b"), 10).await.unwrap();
        assert_eq!(page.iter().map(|row| row.import_id.as_str()).collect::<Vec<_>>(), ["a"]);
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn problems_are_kept_of_the_last_imports() {
    on_each_engine(|db| async move {
        let mut tx = db.begin().await.unwrap();
        let problem = |position| imports::ProblemRow {
            position,
            file: "a.csv".into(),
            line: position + 2,
            field: String::new(),
            value: "é".into(),
            reason: "is empty".into(),
            refused: 1,
        };
        let rows: Vec<_> = (0..2_500).map(problem).collect();
        for n in 0..22 {
            let id = format!("i{n:02}");
            assert!(imports::insert(&mut tx.conn(), &import(&id, n)).await.unwrap());
            imports::end(&mut tx.conn(), &id, &end("refused"), false, n).await.unwrap();
            let rows = if n == 21 { &rows[..] } else { &rows[..1] };
            imports::put_problems(&mut tx.conn(), &id, rows).await.unwrap();
        }
        for (id, from, limit, expected) in [
            ("i00", 0, 10, 0),
            ("i01", 0, 10, 0),
            ("i02", 0, 10, 1),
            ("i21", 2_495, 10, 5),
            ("i21", 0, 100, 100),
        ] {
            let found = imports::problems(&mut tx.conn(), id, from, limit).await.unwrap();
            assert_eq!(found.len(), expected, "{id}");
        }
        let found = imports::problems(&mut tx.conn(), "i21", 1_000, 1).await.unwrap();
        assert_eq!(found, [problem(1_000)]);
        tx.rollback().await.unwrap();
    })
    .await;
}

/// A removal and a change of release lock the same row: whichever comes second sees the first.
#[tokio::test]
async fn a_release_that_is_removed_is_not_served_and_the_other_way_round() {
    use releases::{Activated, ReleaseRow, Removed};
    let now = |n: i64| jiff::Timestamp::from_second(n).unwrap();
    let row = |name: &str| ReleaseRow {
        release: name.into(),
        sha256: "s".into(),
        sources: "a.csv".into(),
        buildings: 3,
        imported_on: "2026-11-01".into(),
        registered_at: 1,
        registered_by: "s-a".into(),
        removed_at: 0,
    };
    on_each_engine(move |db| async move {
        for name in ["a", "b", "c"] {
            assert!(releases::bring_in(&db, &row(name), name == "a", now(1)).await.unwrap());
        }
        assert_eq!(releases::take_away(&db, "a", now(2)).await.unwrap(), Removed::InUse);
        assert_eq!(releases::take_away(&db, "b", now(2)).await.unwrap(), Removed::Now);
        assert_eq!(releases::take_away(&db, "b", now(3)).await.unwrap(), Removed::Unknown);
        assert_eq!(releases::take_away(&db, "none", now(3)).await.unwrap(), Removed::Unknown);
        let mut tx = db.begin().await.unwrap();
        let activate = async |tx: &mut crate::platform::db::Tx, name| {
            releases::activate(&mut tx.conn(), name, "s-a", now(4)).await.unwrap()
        };
        assert_eq!(activate(&mut tx, "b").await, Activated::Gone);
        assert_eq!(activate(&mut tx, "none").await, Activated::Gone);
        assert_eq!(activate(&mut tx, "a").await, Activated::Already);
        assert_eq!(activate(&mut tx, "c").await, Activated::Now);
        let served = releases::served(&mut tx.conn()).await.unwrap();
        assert_eq!((served.release.as_str(), served.previous.as_str(), served.activation), ("c", "a", 2));
        tx.commit().await.unwrap();
        // What a rollback goes back to stays, and a removal that is refused leaves no trace.
        assert_eq!(releases::take_away(&db, "a", now(5)).await.unwrap(), Removed::InUse);
        let found = releases::find(&mut db.read().await.unwrap().conn(), "a").await.unwrap().unwrap();
        assert_eq!(found.removed_at, 0);
        // Imported again it is there again.
        assert!(releases::bring_in(&db, &row("b"), false, now(6)).await.unwrap());
        assert!(!releases::bring_in(&db, &row("b"), false, now(7)).await.unwrap());
        let page = releases::page(&mut db.read().await.unwrap().conn(), (1, "a"), 10).await.unwrap();
        let page: Vec<_> = page.iter().map(|row| (row.release.as_str(), row.removed_at)).collect();
        assert_eq!(page, [("b", 0), ("c", 0)]);
    })
    .await;
}
