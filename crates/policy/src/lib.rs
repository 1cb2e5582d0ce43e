//! Pure rules of who may call: AWS Signature Version 4, access keys, allow and deny.
