//! The guest's side of the contracts: Lambda's Runtime and Extensions APIs, the managed bootstraps, log capture.
