use std::{fs, os::unix::fs::MetadataExt as _, path::PathBuf};

use anyfn_types::Limits;

use super::merge;
use crate::{
    error::Fault,
    fixtures::{Raw, dir, link, paths, stored, zip},
    unpack::unpack,
};

struct Layers {
    home: tempfile::TempDir,
    roots: Vec<PathBuf>,
}

fn layers(all: &[&[Raw]]) -> Layers {
    let home = tempfile::tempdir().unwrap();
    let roots = (0..all.len())
        .map(|i| {
            let root = home.path().join(i.to_string());
            fs::create_dir(&root).unwrap();
            unpack(&zip(all[i]), &root, &Limits::default()).unwrap();
            root
        })
        .collect();
    fs::create_dir(home.path().join("out")).unwrap();
    Layers { home, roots }
}

impl Layers {
    fn merge(&self) -> Result<u64, Fault> {
        let roots: Vec<_> = self.roots.iter().map(PathBuf::as_path).collect();
        merge(&roots, &self.home.path().join("out"), 1000)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.home.path().join("out").join(name)).unwrap()
    }
}

#[test]
fn later_roots_overwrite_earlier_ones_and_leave_them_as_they_were() {
    let set = layers(&[
        &[stored("python/a", b"1"), stored("python/b", b"1"), stored("thing/x", b"1"), link("l", "python/a")],
        &[stored("python/b", b"22"), stored("python/c", b"2"), stored("thing", b"2"), stored("l", b"2")],
    ]);
    assert_eq!(set.merge().unwrap(), 1 + 2 + 1 + 1 + 1);
    let out = set.home.path().join("out");
    assert_eq!(paths(&out), ["l", "python", "python/a", "python/b", "python/c", "thing"]);
    assert_eq!(
        (set.text("python/a"), set.text("python/b"), set.text("thing")),
        ("1".into(), "22".into(), "2".into())
    );
    assert_eq!(fs::read(set.roots[0].join("python/a")).unwrap(), b"1");
    assert_eq!(
        fs::metadata(out.join("python/a")).unwrap().ino(),
        fs::metadata(set.roots[0].join("python/a")).unwrap().ino()
    );
}

#[test]
fn nothing_is_written_through_a_link() {
    let set = layers(&[&[stored("real/x", b"1"), link("d", "real")], &[stored("d/x", b"2")]]);
    set.merge().unwrap();
    assert_eq!((set.text("real/x"), set.text("d/x")), ("1".into(), "2".into()));
}

#[test]
fn links_that_lead_out_only_together_are_refused() {
    let set = layers(&[&[dir("d/e/"), link("l", "d/e/../../x")], &[link("d", "."), link("e", ".")]]);
    assert!(matches!(set.merge(), Err(Fault::Unreadable(_))));
}
