//! The state ports on embedded storage: records, queues, logs and blobs in one folder, acknowledged after fsync.
