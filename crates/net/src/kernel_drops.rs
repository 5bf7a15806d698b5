//! What the kernel threw away because nobody took it in time.

use std::{
    fs,
    net::{IpAddr, SocketAddr},
};

/// Datagrams dropped since a UDP socket was bound because its receive buffer was full, the last column of
/// `/proc/net/udp` (proc(5)). `None` where the kernel does not say, as outside of Linux.
pub fn kernel_drops(local: SocketAddr) -> Option<u64> {
    let table = if local.is_ipv4() { "/proc/net/udp" } else { "/proc/net/udp6" };
    drops_in(&fs::read_to_string(table).ok()?, local)
}

fn drops_in(table: &str, local: SocketAddr) -> Option<u64> {
    let wanted = written(local);
    let lines = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let sockets = lines.filter(|fields| fields.get(1).is_some_and(|address| *address == wanted));
    sockets.filter_map(|fields| fields.last()?.parse::<u64>().ok()).reduce(u64::saturating_add)
}

/// An address as the kernel writes it: 32-bit words in the order of the machine's bytes.
fn written(address: SocketAddr) -> String {
    let ip = match address.ip() {
        IpAddr::V4(ip) => format!("{:08X}", u32::from_ne_bytes(ip.octets())),
        IpAddr::V6(ip) => {
            let octets = ip.octets();
            let (words, _) = octets.as_chunks::<4>();
            words.iter().map(|word| format!("{:08X}", u32::from_ne_bytes(*word))).collect()
        }
    };
    format!("{ip}:{:04X}", address.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{net::UdpSocket, time::Duration};

    #[test]
    fn what_a_full_buffer_cannot_take_is_counted() {
        for ip in ["127.0.0.1:0", "[::1]:0"] {
            let socket = UdpSocket::bind(ip).unwrap();
            let local = socket.local_addr().unwrap();
            assert_eq!(kernel_drops(local), Some(0), "{ip}");
            let sender = UdpSocket::bind(ip).unwrap();
            sender.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
            for _ in 0..4_000 {
                sender.send_to(&[0; 1_200], local).unwrap();
            }
            let dropped = kernel_drops(local).unwrap();
            assert!(dropped > 0 && dropped < 4_000, "{ip}: {dropped}");
        }
    }

    #[test]
    fn other_sockets_and_other_tables_are_passed_over() {
        let local = "127.0.0.1:8189".parse().unwrap();
        assert_eq!(drops_in("", local), None);
        let line = |address: &str| format!("head\n 1: {address} 00000000:0000 07 0:0 00:0 0 0 0 7 2 x 5\n");
        assert_eq!(drops_in(&line(&written(local)), local), Some(5));
        assert_eq!(drops_in(&line("0100007F:0001"), local), None);
    }
}
