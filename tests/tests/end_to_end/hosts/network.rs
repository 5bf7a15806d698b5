//! That hosts hear each other, and do not where they are not to: what tests of clusters build on.

use std::net::{TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use anyhow::{Result, ensure};
use headwater_tests::{
    hosts::{Host, Network},
    program::until,
};

const PATIENCE: Duration = Duration::from_secs(20);

/// Whether a datagram of one host comes to another.
fn hears(one: &Host, other: &Host) -> Result<bool> {
    let ear = one.inside(|| Ok(UdpSocket::bind((one.address(), 0))?))?;
    ear.set_read_timeout(Some(Duration::from_millis(200)))?;
    let (mouth, there) = (other.inside(|| Ok(UdpSocket::bind((other.address(), 0))?))?, ear.local_addr()?);
    // Sent more than once, for those of a host whose address is still asked for.
    Ok((0..3).any(|_| {
        let _ = mouth.send_to(b"here", there);
        ear.recv(&mut [0; 10]).is_ok()
    }))
}

#[test]
fn hosts_hear_each_other_until_they_are_parted() -> Result<()> {
    let network = Network::new()?;
    let (a, b) = (network.host("a")?, network.host("b")?);
    ensure!(hears(&a, &b)? && hears(&b, &a)?);
    a.hear_nothing_of(&b)?;
    ensure!(!hears(&a, &b)? && hears(&b, &a)?, "one way was to be cut");
    Network::heal(&[&a, &b])?;
    Network::part(&[&a], &[&b])?;
    ensure!(!hears(&a, &b)? && !hears(&b, &a)?, "both ways were to be cut");
    Network::heal(&[&a, &b])?;
    b.unplug()?;
    ensure!(!hears(&a, &b)? && !hears(&b, &a)?, "the cable was to be out");
    b.plug()?;
    // Who was asked for in vain is asked for again after a second.
    until("both hear each other again", PATIENCE, || hears(&a, &b).unwrap_or(false) && hears(&b, &a).unwrap_or(false))?;
    a.lose(999)?;
    ensure!(!hears(&a, &b)? && hears(&b, &a)?, "nearly all was to be lost");
    Ok(())
}

#[test]
fn no_datagram_passes_where_tcp_does() -> Result<()> {
    let network = Network::new()?;
    let (a, b) = (network.host("a")?, network.host("b")?);
    a.hear_no_udp_of(&b)?;
    ensure!(!hears(&a, &b)? && hears(&b, &a)?);
    let listener = a.inside(|| Ok(TcpListener::bind((a.address(), 0))?))?;
    b.inside(|| Ok(TcpStream::connect(listener.local_addr()?)?))?;
    network.inside(|| Ok(TcpStream::connect(listener.local_addr()?)?))?;
    Ok(())
}

#[test]
fn a_host_is_apart_from_the_machine_and_the_thread_comes_back() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let there = listener.local_addr()?;
    let network = Network::new()?;
    let a = network.host("a")?;
    let refused = a.inside(|| Ok(TcpStream::connect_timeout(&there, Duration::from_secs(2)).is_err()))?;
    ensure!(refused, "a host reached the machine's loopback");
    TcpStream::connect(there)?;
    Ok(())
}
