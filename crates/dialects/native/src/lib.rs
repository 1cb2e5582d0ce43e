//! anyfn's own HTTP API, the one that its command line calls.
