//! The room against real kernels: a guest's kernel on one side of the TUN device, a far host's on the other.

mod dns;
mod far;
mod flows;
mod limits;
mod world;
