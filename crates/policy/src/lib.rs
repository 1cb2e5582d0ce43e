//! Pure rules of who may call.

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// 12 digits.
    pub account: String,
    /// The access key's id; None on a local address without one.
    pub key: Option<String>,
    pub rights: Rights,
}

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    pub invoke: bool,
    pub admin: bool,
}
