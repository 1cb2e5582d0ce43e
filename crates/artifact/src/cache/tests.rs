use anyfn_types::Digest;

use super::{Cache, Key};
use crate::staging::Staging;

fn key(n: u8) -> Key {
    Key::Package(Digest([n; 32]))
}

#[test]
fn the_oldest_that_nobody_holds_goes_first() {
    let dir = tempfile::tempdir().unwrap();
    let (roots, trash) = (dir.path().join("roots"), dir.path().join("staging"));
    std::fs::create_dir(&roots).unwrap();
    std::fs::create_dir(&trash).unwrap();
    let cache = Cache::new(roots, 30);
    let put = |n: u8| {
        let staging = Staging::create(&trash, &n.to_string()).unwrap();
        cache.put(key(n), staging, 10, &trash).unwrap()
    };
    let (held, gone) = put(1);
    assert_eq!(gone.len(), 0);
    drop(put(2));
    drop(put(3));
    assert_eq!(cache.size(), (3, 30));
    // 2 is older than 3, but was asked for later.
    drop(cache.get(key(2)));
    assert_eq!(put(4).1.len(), 1);
    assert!(cache.get(key(3)).is_none());
    assert!(cache.get(key(2)).is_some());
    assert!(cache.get(key(1)).is_some() && held.path.is_dir());
    // Over the budget for as long as all are held, and back at the next root.
    let (two, four) = (cache.get(key(2)).unwrap(), cache.get(key(4)).unwrap());
    let (five, gone) = put(5);
    assert_eq!((gone.len(), cache.size()), (0, (4, 40)));
    drop((held, two, four, five));
    assert_eq!(put(6).1.len(), 2);
    assert_eq!(cache.size(), (3, 30));
}

#[test]
fn a_root_that_is_there_is_not_put_again() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::new(dir.path().to_owned(), 100);
    let stage = |name| Staging::create(dir.path(), name).unwrap();
    let first = cache.put(key(1), stage("a"), 10, dir.path()).unwrap().0;
    let (second, gone) = cache.put(key(1), stage("b"), 10, dir.path()).unwrap();
    assert_eq!(first.path, second.path);
    assert_eq!(cache.size(), (1, 10));
    assert_eq!(gone, [dir.path().join("b")]);
}

#[tokio::test]
async fn a_turn_leaves_nothing_behind() {
    let cache = Cache::new(std::path::PathBuf::new(), 0);
    let (one, two) = (cache.turn(key(1)), cache.turn(key(1)));
    let first = one.wait().await;
    assert!(futures_pending(two.wait()).await);
    drop(first);
    drop(two.wait().await);
    drop(one);
    assert_eq!(cache.lock().making.len(), 1);
    drop(two);
    assert_eq!(cache.lock().making.len(), 0);
}

async fn futures_pending<F: Future>(future: F) -> bool {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|cx| std::task::Poll::Ready(future.as_mut().poll(cx).is_pending())).await
}
