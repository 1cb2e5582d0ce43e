//! The guests' way to public addresses: a user-space network stack with a fence around loopback, private ranges and
//! metadata addresses.
//!
//! A sandbox that may reach the Internet has a TUN device in its own network namespace; the server holds the
//! descriptor. Every packet of the guest ends here, in the server: TCP is ended by a user-space stack and spliced to a
//! socket of the server, UDP is sent on from a socket of the server, DNS at the gateway's address is asked of the host's
//! resolvers. So the host needs no bridge, no firewall rule and no forwarding, and an address that the fence refuses is
//! never even looked at by the host's routing.
//!
//! Parts: `fence` (which addresses and ports, pure), `own` (the host's own addresses), `packet` (what a guest sent, and
//! short answers to it), `reader` (one task per instance that sorts packets to flows), `tcp` and `pump` (one task per
//! TCP flow), `udp`, `dns`, `table` and `bucket` (limits), `meter` (counts), `tun` (the descriptor).
//! Invariants: every queue and buffer has a bound; nothing outlives its `Attached`; a flow is checked by the address it
//! connects to, never by a name.
//! Must not know: sandboxes, functions, any platform's protocol.

mod bucket;
mod dns;
mod egress;
mod error;
mod fence;
mod meter;
mod options;
mod own;
mod packet;
mod pump;
mod reader;
mod table;
mod tcp;
mod tun;
mod udp;

pub use egress::{Attached, Egress};
pub use error::AttachError;
pub use fence::{Allow, Cidr, Fence, ParseError, Refusal};
pub use meter::Usage;
pub use options::{Limits, MTU, Options, Timeouts};
pub use own::OwnAddresses;
