//! Letter I.
