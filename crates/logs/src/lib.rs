//! Log groups, streams and events without a wire format: append, read, filter, follow, retention.
