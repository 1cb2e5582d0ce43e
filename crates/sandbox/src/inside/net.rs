//! The sandbox's network: its own loopback, the listener that the server serves, and, if it may reach out, a tun device
//! whose other end is the server's. There is no bridge, no veth and no route to the host.

use std::{
    fs::File,
    net::{Ipv4Addr, Ipv6Addr, TcpListener},
    os::fd::{AsRawFd as _, OwnedFd},
};

use rustix::net::{AddressFamily, SocketFlags, SocketType};

use super::{At, Gifts, Plan, Trouble};
use crate::sys::device;

/// Name of the device inside.
pub const TUN_NAME: &str = "tun0";
/// Bytes of the largest IP packet on the device. No link layer header, no `tun_pi` header.
pub const TUN_MTU: u16 = 65_520;
/// The guest's address.
pub const GUEST_V4: Ipv4Addr = Ipv4Addr::new(10, 200, 0, 2);
pub const GUEST_V4_PREFIX: u32 = 30;
/// The platform's end: default route and name server.
pub const PEER_V4: Ipv4Addr = Ipv4Addr::new(10, 200, 0, 1);
/// The guest's address (a unique local one).
pub const GUEST_V6: Ipv6Addr = Ipv6Addr::new(0xfd61, 0x6e79, 0x666e, 0, 0, 0, 0, 2);
pub const GUEST_V6_PREFIX: u32 = 64;
/// The platform's end.
pub const PEER_V6: Ipv6Addr = Ipv6Addr::new(0xfd61, 0x6e79, 0x666e, 0, 0, 0, 0, 1);

pub(super) fn set_up(plan: &Plan<'_>) -> Result<Gifts, Trouble> {
    let spec = plan.spec;
    let v4 = socket(AddressFamily::INET).at("open a socket")?;
    device::interface_up(&v4, "lo").at("bring the loopback up")?;
    let listener = match spec.listen {
        Some(port) => Some(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).at("listen inside")?.into()),
        None => None,
    };
    let tun = if spec.internet { Some(tun(&v4, plan.tun.as_ref())?) } else { None };
    Ok(Gifts { listener, tun })
}

fn tun(v4: &OwnedFd, place: Option<&OwnedFd>) -> Result<OwnedFd, Trouble> {
    // It belongs to the network namespace of who opens it, so the helper cannot do that.
    let path = place.map_or("/dev/net/tun".into(), |fd| format!("/proc/self/fd/{}", fd.as_raw_fd()));
    let tun = File::options().read(true).write(true).open(path).at("open /dev/net/tun")?;
    device::make_tun(&tun, TUN_NAME).at("make the tun device")?;
    device::interface_mtu(v4, TUN_NAME, i32::from(TUN_MTU)).at("set the tun device's size")?;
    device::interface_v4(v4, TUN_NAME, GUEST_V4, GUEST_V4_PREFIX).at("set the tun device's address")?;
    device::interface_up(v4, TUN_NAME).at("bring the tun device up")?;
    device::default_v4(v4, PEER_V4).at("set the default route")?;
    // A host without IPv6 has no such sockets; the guest then has none either.
    if let Ok(v6) = socket(AddressFamily::INET6) {
        let _ = device::interface_v6(&v6, TUN_NAME, GUEST_V6, GUEST_V6_PREFIX);
    }
    Ok(tun.into())
}

fn socket(family: AddressFamily) -> rustix::io::Result<OwnedFd> {
    rustix::net::socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC, None)
}
