use std::io::Write as _;

use rustix::fs::{mkdirat, openat, unlinkat};

use super::*;

const MIB: u64 = 1 << 20;

/// A folder on the disk and an image in it; None without the privilege to mount.
fn images() -> Option<(tempfile::TempDir, Images)> {
    let folder = tempfile::tempdir().unwrap();
    let images = Images::new(folder.path().to_str().unwrap(), 0, rustix::process::geteuid().is_root());
    images.describe().0.then_some((folder, images))
}

fn create(mount: &OwnedFd, name: &str, flags: OFlags) -> File {
    File::from(openat(mount, name, flags | OFlags::RDWR, Mode::RUSR | Mode::WUSR).unwrap())
}

/// Whether an image is kept after a sandbox did something to it.
fn kept(images: &mut Images, work: impl FnOnce(&OwnedFd)) -> bool {
    let image = images.take(16 * MIB, 256).unwrap().unwrap();
    let mount = image.share().unwrap();
    work(&mount);
    drop(mount);
    images.give_back(image).is_none()
}

#[test]
fn c3_an_image_is_kept_only_if_nothing_ever_happened_to_it() {
    let Some((_folder, mut images)) = images() else {
        eprintln!("skipped: this test needs the privilege to mount");
        return;
    };
    assert!(kept(&mut images, |_| {}));
    assert!(kept(&mut images, |mount| {
        let read = OFlags::RDONLY | OFlags::DIRECTORY;
        let folder = openat(mount, ".", read, Mode::empty()).unwrap();
        assert_eq!(rustix::fs::Dir::read_from(&folder).unwrap().count(), 2);
    }));
    assert!(!kept(&mut images, |mount| drop(create(mount, "stays", OFlags::CREATE))));
    assert!(!kept(&mut images, |mount| {
        drop(create(mount, "gone", OFlags::CREATE));
        unlinkat(mount, "gone", AtFlags::empty()).unwrap();
    }));
    assert!(!kept(&mut images, |mount| {
        mkdirat(mount, "gone", Mode::RWXU).unwrap();
        unlinkat(mount, "gone", AtFlags::REMOVEDIR).unwrap();
    }));
    assert!(!kept(&mut images, |mount| {
        // Nobody ever sees a name of this one.
        let mut file = create(mount, ".", OFlags::TMPFILE);
        file.write_all(&vec![b'x'; MIB as usize]).unwrap();
        file.sync_all().unwrap();
    }));
    let mut open = None;
    assert!(!kept(&mut images, |mount| open = Some(create(mount, ".", OFlags::TMPFILE))));
    // What is thrown away was fresh again when it was made.
    assert!(kept(&mut images, |_| {}));
}
