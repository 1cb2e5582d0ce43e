//! The bytes are what they are said to be.

#[test]
fn both_are_shared_libraries_without_needs() {
    for bytes in [super::PYTHON, super::NODE] {
        assert_eq!(&bytes[..4], b"\x7fELF");
        assert!(!bytes.windows(7).any(|w| w == b"libc.so"), "linked against a C library");
    }
}
