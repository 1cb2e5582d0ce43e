//! Code packages into read-only roots by digest, checked against bombs and path escape.
