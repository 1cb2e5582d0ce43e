//! What two children of one template must not share.
