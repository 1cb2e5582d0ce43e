//! Requests to devices and network interfaces (`ioctl`).

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr},
    os::fd::{AsFd, AsRawFd, BorrowedFd},
};

use super::check;

/// An interface's name, shorter than 16 bytes.
fn named(name: &str) -> io::Result<libc::ifreq> {
    // SAFETY: the structure is numbers and arrays of numbers; zero is a value of each.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if name.len() >= request.ifr_name.len() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    Ok(request)
}

fn ioctl<T>(fd: BorrowedFd<'_>, request: libc::c_ulong, value: &mut T) -> io::Result<()> {
    // SAFETY: private to this file; each caller pairs the request with the structure that the kernel documents for it,
    // which lives through the call.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), request as _, std::ptr::from_mut(value)) }.into()).map(drop)
}

/// Turns an opened `/dev/net/tun` into the interface `name` of the caller's network namespace: packets without a header.
pub(crate) fn make_tun(device: impl AsFd, name: &str) -> io::Result<()> {
    const TUNSETIFF: libc::c_ulong = 0x4004_54ca;
    let mut request = named(name)?;
    request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as libc::c_short;
    ioctl(device.as_fd(), TUNSETIFF, &mut request)
}

/// Brings an interface up. `socket` is any IP socket of its network namespace.
pub(crate) fn interface_up(socket: impl AsFd, name: &str) -> io::Result<()> {
    let mut request = named(name)?;
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    ioctl(socket.as_fd(), libc::SIOCSIFFLAGS, &mut request)
}

pub(crate) fn interface_mtu(socket: impl AsFd, name: &str, mtu: i32) -> io::Result<()> {
    let mut request = named(name)?;
    request.ifr_ifru.ifru_mtu = mtu;
    ioctl(socket.as_fd(), libc::SIOCSIFMTU, &mut request)
}

fn v4(address: Ipv4Addr) -> libc::sockaddr {
    let mut data = [0; 14];
    for (to, from) in data[2..6].iter_mut().zip(address.octets()) {
        *to = from as libc::c_char;
    }
    libc::sockaddr { sa_family: libc::AF_INET as libc::sa_family_t, sa_data: data }
}

/// Gives an interface an IPv4 address.
pub(crate) fn interface_v4(socket: impl AsFd, name: &str, address: Ipv4Addr, prefix: u32) -> io::Result<()> {
    let mut request = named(name)?;
    request.ifr_ifru.ifru_addr = v4(address);
    ioctl(socket.as_fd(), libc::SIOCSIFADDR, &mut request)?;
    let mask = u32::MAX.checked_shl(32 - prefix).unwrap_or(0);
    request.ifr_ifru.ifru_netmask = v4(Ipv4Addr::from_bits(mask));
    ioctl(socket.as_fd(), libc::SIOCSIFNETMASK, &mut request)
}

/// The IPv4 default route.
pub(crate) fn default_v4(socket: impl AsFd, gateway: Ipv4Addr) -> io::Result<()> {
    // SAFETY: numbers and pointers; zero is a value of each.
    let mut route: libc::rtentry = unsafe { std::mem::zeroed() };
    route.rt_dst = v4(Ipv4Addr::UNSPECIFIED);
    route.rt_genmask = v4(Ipv4Addr::UNSPECIFIED);
    route.rt_gateway = v4(gateway);
    route.rt_flags = libc::RTF_UP | libc::RTF_GATEWAY;
    ioctl(socket.as_fd(), libc::SIOCADDRT, &mut route)
}

/// `struct in6_ifreq` of `<linux/ipv6.h>`.
#[repr(C)]
struct V6Address {
    address: [u8; 16],
    prefix: u32,
    index: i32,
}

/// `struct in6_rtmsg` of `<linux/ipv6_route.h>`.
#[repr(C)]
#[derive(Default)]
struct V6Route {
    destination: [u8; 16],
    source: [u8; 16],
    gateway: [u8; 16],
    kind: u32,
    destination_len: u16,
    source_len: u16,
    metric: u32,
    info: libc::c_ulong,
    flags: u32,
    index: i32,
}

/// Gives an interface an IPv6 address and makes it the default route. `socket` is an IPv6 socket.
pub(crate) fn interface_v6(socket: impl AsFd, name: &str, address: Ipv6Addr, prefix: u32) -> io::Result<()> {
    let mut request = named(name)?;
    ioctl(socket.as_fd(), libc::SIOCGIFINDEX, &mut request)?;
    // SAFETY: SIOCGIFINDEX fills this member.
    let index = unsafe { request.ifr_ifru.ifru_ifindex };
    ioctl(socket.as_fd(), libc::SIOCSIFADDR, &mut V6Address { address: address.octets(), prefix, index })?;
    let mut route = V6Route { metric: 1, flags: u32::from(libc::RTF_UP), index, ..V6Route::default() };
    ioctl(socket.as_fd(), libc::SIOCADDRT, &mut route)
}

/// The number of a loop device that is free now.
pub(crate) fn free_loop(control: impl AsFd) -> io::Result<u32> {
    const LOOP_CTL_GET_FREE: libc::c_ulong = 0x4C82;
    // SAFETY: the request takes no argument.
    let number = unsafe { libc::ioctl(control.as_fd().as_raw_fd(), LOOP_CTL_GET_FREE as _) };
    check(number.into()).map(|n| n as u32)
}

/// `struct loop_info64` and `struct loop_config` of `<linux/loop.h>`.
#[repr(C)]
struct LoopConfig {
    fd: u32,
    block_size: u32,
    device: u64,
    inode: u64,
    rdevice: u64,
    offset: u64,
    size_limit: u64,
    number: u32,
    encrypt_type: u32,
    encrypt_key_size: u32,
    flags: u32,
    names: [u8; 64 + 64 + 32],
    init: [u64; 2],
    reserved: [u64; 8],
}

/// Puts a file behind a loop device until the last user of the device closes it.
pub(crate) fn attach_loop(device: impl AsFd, file: impl AsFd) -> io::Result<()> {
    const LOOP_CONFIGURE: libc::c_ulong = 0x4C0A;
    const AUTOCLEAR: u32 = 4;
    // SAFETY: numbers only; zero is a value of each.
    let mut config: LoopConfig = unsafe { std::mem::zeroed() };
    config.fd = file.as_fd().as_raw_fd() as u32;
    config.flags = AUTOCLEAR;
    ioctl(device.as_fd(), LOOP_CONFIGURE, &mut config)
}
