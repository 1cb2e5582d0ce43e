//! The floor: the same handler behind an HTTP server of its own language, with nothing between.

use super::Endpoint;
use crate::{
    guests::{EVENT, Guest},
    wire,
};

pub(crate) fn direct(guest: &Guest) -> anyhow::Result<Endpoint> {
    let (process, address) = guest.bare()?;
    let request = wire::request(&address.to_string(), "POST", "/", "", EVENT);
    Endpoint::checked(address, request, "/", vec![Box::new(process)])
}

pub(crate) fn direct_get(guest: &Guest) -> anyhow::Result<Endpoint> {
    let (process, address) = guest.bare()?;
    let request = wire::request(&address.to_string(), "GET", "/", "", b"");
    Endpoint::checked(address, request, "/", vec![Box::new(process)])
}
