//! Randomness: the kernel's, or a seeded stream that makes a simulation repeatable.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use anyfn_types::{InstanceId, InvocationId, MessageId, VersionId};

#[derive(Clone, Debug)]
pub struct Random(Option<Arc<AtomicU64>>);

impl Random {
    /// The kernel's randomness; fit for keys.
    pub fn system() -> Self {
        Self(None)
    }

    /// Repeatable; for tests only.
    pub fn seeded(seed: u64) -> Self {
        Self(Some(Arc::new(AtomicU64::new(seed))))
    }

    pub fn u64(&self) -> u64 {
        let Some(state) = &self.0 else {
            return getrandom::u64().unwrap_or_else(|e| unreachable!("the kernel has no randomness: {e}"));
        };
        // SplitMix64
        let mut z =
            state.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed).wrapping_add(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn u128(&self) -> u128 {
        (u128::from(self.u64()) << 64) | u128::from(self.u64())
    }

    /// Uniform in 0.0..1.0.
    #[allow(clippy::cast_precision_loss, reason = "53 bits are what a double holds")]
    pub fn unit(&self) -> f64 {
        (self.u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// `len` characters of `a-z2-7`: fit for host names.
    pub fn label(&self, len: usize) -> String {
        const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
        (0..len).map(|_| char::from(ALPHABET[(self.u64() & 31) as usize])).collect()
    }

    /// Version 4 UUID bits.
    fn uuid(&self) -> u128 {
        (self.u128() & !(0xF << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62)
    }

    /// A UUID in text, for revisions and request ids.
    pub fn uuid_text(&self) -> String {
        InvocationId(self.uuid()).uuid()
    }

    pub fn invocation_id(&self) -> InvocationId {
        InvocationId(self.uuid())
    }

    pub fn instance_id(&self) -> InstanceId {
        InstanceId(self.uuid())
    }

    pub fn version_id(&self) -> VersionId {
        VersionId(self.uuid())
    }

    pub fn message_id(&self) -> MessageId {
        MessageId(self.uuid())
    }
}
