//! Cases for `Blobs`.

use anyfn_types::Digest;
use bytes::Bytes;

use super::Ports;

pub async fn what_is_put_is_got(ports: Ports) {
    let mut digests = std::collections::BTreeSet::new();
    for len in [0, 1, 4096, 3 << 20] {
        let bytes = Bytes::from(vec![7; len]);
        let digest = ports.blobs.put(bytes.clone()).await.unwrap();
        assert_eq!(ports.blobs.get(digest).await.unwrap(), Some(bytes));
        assert_eq!(ports.blobs.size(digest).await.unwrap(), Some(len as u64));
        digests.insert(digest);
    }
    assert_eq!(digests.len(), 4);
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert!(digests.contains(&empty.parse().unwrap()), "digests are SHA-256");
    assert_eq!(ports.blobs.get(Digest([1; 32])).await.unwrap(), None);
    assert_eq!(ports.blobs.size(Digest([1; 32])).await.unwrap(), None);
}

pub async fn a_blob_can_be_put_twice_and_deleted(ports: Ports) {
    let bytes = Bytes::from_static(b"twice");
    let digest = ports.blobs.put(bytes.clone()).await.unwrap();
    assert_eq!(ports.blobs.put(bytes.clone()).await.unwrap(), digest);
    ports.blobs.delete(digest).await.unwrap();
    assert_eq!(ports.blobs.get(digest).await.unwrap(), None);
    ports.blobs.delete(digest).await.unwrap();
    assert_eq!(ports.blobs.put(bytes.clone()).await.unwrap(), digest);
    assert_eq!(ports.blobs.get(digest).await.unwrap(), Some(bytes));
}
