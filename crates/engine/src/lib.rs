//! Invoke: admit, resolve the version, place on an instance, run, record, keep or retire; scale to and from zero.
