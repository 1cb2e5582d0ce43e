//! Listeners, host and path to dialect, caller identity, limits, shedding.
