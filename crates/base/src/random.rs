//! Randomness: the kernel's, or a seeded stream that makes a simulation repeatable.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use anyfn_types::{InstanceId, InvocationId, MessageId, VersionId};

/// Bytes that are asked of the kernel at once. Each is given out once and wiped.
const STOCK: usize = 512;

#[derive(Clone, Debug)]
pub struct Random(Source);

#[derive(Clone)]
enum Source {
    Kernel(Arc<Mutex<Stock>>),
    Seeded(Arc<AtomicU64>),
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What is in stock will be keys.
        f.write_str(if matches!(self, Self::Kernel(_)) { "Kernel" } else { "Seeded" })
    }
}

struct Stock {
    bytes: [u8; STOCK],
    /// Bytes that were given out.
    used: usize,
}

impl Stock {
    fn take(&mut self) -> u64 {
        if self.used + 8 > STOCK {
            getrandom::fill(&mut self.bytes)
                .unwrap_or_else(|e| unreachable!("the kernel has no randomness: {e}"));
            self.used = 0;
        }
        let mut taken = [0; 8];
        let piece = &mut self.bytes[self.used..self.used + 8];
        taken.copy_from_slice(piece);
        piece.fill(0);
        self.used += 8;
        u64::from_ne_bytes(taken)
    }
}

impl Random {
    /// The kernel's randomness; fit for keys.
    pub fn system() -> Self {
        Self(Source::Kernel(Arc::new(Mutex::new(Stock { bytes: [0; STOCK], used: STOCK }))))
    }

    /// Repeatable; for tests only.
    pub fn seeded(seed: u64) -> Self {
        Self(Source::Seeded(Arc::new(AtomicU64::new(seed))))
    }

    pub fn u64(&self) -> u64 {
        let state = match &self.0 {
            Source::Kernel(stock) => return stock.lock().unwrap_or_else(PoisonError::into_inner).take(),
            Source::Seeded(state) => state,
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
