//! AWS's six wire protocols over one description of shapes: decode, validate and encode values, errors included. No service, no state.
