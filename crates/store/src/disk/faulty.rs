//! A disk in memory that fails.
