//! The guests' way to public addresses: a user-space network stack with a fence around loopback, private ranges and metadata addresses.
