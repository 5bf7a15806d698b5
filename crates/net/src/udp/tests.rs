use super::*;
use crate::{Burst, Volley};

async fn exchange(receiver: &str, target: Option<&str>) {
    let receiver = UdpSocket::bind(receiver.parse().unwrap()).unwrap();
    let port = receiver.local_address().unwrap().port();
    let target = match target {
        Some(ip) => SocketAddr::new(ip.parse().unwrap(), port),
        None => receiver.local_address().unwrap(),
    };
    let any = if target.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" };
    let sender = UdpSocket::bind(any.parse().unwrap()).unwrap();
    let mut burst = Burst::new(target, None);
    for value in 0..7u8 {
        let size = if value == 6 { 300 } else { 1_200 };
        assert!(burst.push(&vec![value; size]));
    }
    assert_eq!(sender.send(&burst).unwrap(), Sent::All);

    let mut buffer = ReceiveBuffer::new();
    let mut seen = Vec::new();
    while seen.len() < 7 {
        receiver.receive(&mut buffer).await.unwrap();
        for datagram in buffer.datagrams() {
            assert_eq!(datagram.source, sender.local_address().unwrap());
            assert_eq!(datagram.destination, Some(target.ip()));
            seen.push((datagram.bytes[0], datagram.bytes.len()));
        }
    }
    let expected: Vec<_> = (0..7u8).map(|value| (value, if value == 6 { 300 } else { 1_200 })).collect();
    assert_eq!(seen, expected);

    let mut answer = Burst::new(sender.local_address().unwrap(), Some(target.ip()));
    assert!(answer.push(b"hello"));
    assert_eq!(receiver.send(&answer).unwrap(), Sent::All);
    sender.receive(&mut buffer).await.unwrap();
    assert_eq!(buffer.datagrams().next().unwrap().bytes, b"hello");
    assert_eq!(buffer.datagrams().next().unwrap().source, target);
}

#[tokio::test]
async fn a_burst_arrives_as_the_datagrams_it_was_made_of() {
    exchange("127.0.0.1:0", None).await;
}

#[tokio::test]
async fn an_ipv6_wildcard_serves_both_families() {
    exchange("[::]:0", Some("127.0.0.1")).await;
    exchange("[::]:0", Some("::1")).await;
}

async fn what_arrives_at(bind: &str, targets: &[&str]) {
    let (reader, senders) = UdpSocket::bind_with_senders(bind.parse().unwrap(), 3).unwrap();
    let port = reader.local_address().unwrap().port();
    let mut buffer = ReceiveBuffer::new();
    for (ip, number) in targets.iter().flat_map(|ip| (0..60u8).map(move |number| (ip, number))) {
        let target = SocketAddr::new(ip.parse().unwrap(), port);
        let any = if target.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" };
        let peer = std::net::UdpSocket::bind(any).unwrap();
        peer.send_to(&[number], target).unwrap();
        let wait = std::time::Duration::from_secs(5);
        tokio::time::timeout(wait, reader.receive(&mut buffer)).await.expect("another got it").unwrap();
        let seen: Vec<_> = buffer.datagrams().map(|datagram| (datagram.source, datagram.bytes)).collect();
        assert_eq!(seen, [(peer.local_addr().unwrap(), [number].as_slice())]);
    }
    for sender in &senders {
        assert_eq!(sender.socket.local_addr().unwrap().port(), port);
        assert_eq!(sender.socket.recv(&mut [0; 9]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }
}

#[tokio::test]
async fn of_the_sockets_of_a_port_one_gets_all_that_arrives() {
    what_arrives_at("127.0.0.1:0", &["127.0.0.1"]).await;
    what_arrives_at("0.0.0.0:0", &["127.0.0.1"]).await;
    what_arrives_at("[::]:0", &["127.0.0.1", "::1"]).await;
    what_arrives_at("[::1]:0", &["::1"]).await;
}

#[tokio::test]
async fn nobody_else_joins_the_sockets_of_a_port() {
    for ip in ["127.0.0.1:0", "[::]:0"] {
        let (reader, _senders) = UdpSocket::bind_with_senders(ip.parse().unwrap(), 2).unwrap();
        let address = reader.local_address().unwrap();
        let in_use = |result: io::Result<()>| assert_eq!(result.unwrap_err().kind(), io::ErrorKind::AddrInUse);
        in_use(UdpSocket::bind(address).map(drop));
        in_use(UdpSocket::bind_with_senders(address, 2).map(drop));
        let stranger = open(address).unwrap();
        stranger.set_reuse_address(true).unwrap();
        stranger.set_reuse_port(true).unwrap();
        in_use(stranger.bind(&address.into()));
    }
}

#[tokio::test]
async fn two_threads_send_from_one_port_and_one_of_them_receives() {
    let (reader, mut senders) = UdpSocket::bind_with_senders("127.0.0.1:0".parse().unwrap(), 1).unwrap();
    let sender = senders.remove(0);
    let other = UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let (port, to) = (reader.local_address().unwrap(), other.local_address().unwrap());
    let from_thread = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let socket = sender.start().unwrap();
            let mut burst = Burst::new(to, None);
            assert!(burst.push(b"one"));
            assert_eq!(socket.send(&burst).unwrap(), Sent::All);
            socket.writable().await.unwrap();
            let refused = socket.receive(&mut ReceiveBuffer::new()).await.unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::Unsupported);
        });
    };
    std::thread::spawn(from_thread).join().unwrap();
    let mut buffer = ReceiveBuffer::new();
    other.receive(&mut buffer).await.unwrap();
    let datagram = buffer.datagrams().next().unwrap();
    assert_eq!((datagram.source, datagram.bytes), (port, b"one".as_slice()));
    let mut answer = Burst::new(port, None);
    assert!(answer.push(b"two"));
    assert_eq!(other.send(&answer).unwrap(), Sent::All);
    reader.receive(&mut buffer).await.unwrap();
    assert_eq!(buffer.datagrams().next().unwrap().bytes, b"two");
}

#[tokio::test]
async fn datagrams_are_taken_without_waiting_and_opened_in_place() {
    let receiver = UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let mut buffer = ReceiveBuffer::new();
    assert!(!receiver.receive_ready(&mut buffer).unwrap());
    let mut burst = Burst::new(receiver.local_address().unwrap(), None);
    assert!(burst.push(b"abc") && burst.push(b"de"));
    assert_eq!(sender.send(&burst).unwrap(), Sent::All);
    let mut seen = Vec::new();
    while seen.len() < 2 {
        receiver.readable().await.unwrap();
        if !receiver.receive_ready(&mut buffer).unwrap() {
            continue;
        }
        for datagram in buffer.datagrams_mut() {
            assert_eq!(datagram.source, sender.local_address().unwrap());
            datagram.bytes.reverse();
            seen.push(datagram.bytes.to_vec());
        }
    }
    assert_eq!(seen, [b"cba".to_vec(), b"ed".to_vec()]);
}

#[tokio::test]
async fn a_bad_destination_is_an_error_and_the_socket_lives_on() {
    let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let mut bad = Burst::new("[2001:db8::1]:9".parse().unwrap(), None);
    assert!(bad.push(&[0; 10]));
    assert!(socket.send(&bad).is_err());
    let mut own = Burst::new(socket.local_address().unwrap(), None);
    assert!(own.push(b"still here"));
    assert_eq!(socket.send(&own).unwrap(), Sent::All);
}

/// Whoever is sent a volley.
fn audience(count: usize, ip: &str) -> Vec<std::net::UdpSocket> {
    let peers = (0..count).map(|_| std::net::UdpSocket::bind((ip, 0)).unwrap());
    peers.inspect(|peer| peer.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap()).collect()
}

fn write(volley: &mut Volley, to: SocketAddr, source: Option<IpAddr>, datagram: &[u8]) {
    let is_written = volley.write(to, source, datagram.len(), |slice| {
        slice.copy_from_slice(datagram);
        true
    });
    assert!(is_written);
}

fn never(burst: &Burst, error: io::Error) {
    panic!("{} refused: {error}", burst.destination());
}

async fn a_volley(bind: &str, ip: &str, from: Option<&str>) {
    let socket = UdpSocket::bind(bind.parse().unwrap()).unwrap();
    let port = socket.local_address().unwrap().port();
    let peers = audience(20, ip);
    let source = from.map(|ip| ip.parse().unwrap());
    // A frame for some, one datagram for others, of several lengths.
    let shape = |index: usize| match index {
        0..8 => vec![200, 200, 90],
        8..14 => vec![100 + index],
        _ => vec![150, 150],
    };
    let mut volley = Volley::new();
    for (index, peer) in peers.iter().enumerate() {
        for (place, length) in shape(index).into_iter().enumerate() {
            write(&mut volley, peer.local_addr().unwrap(), source, &vec![(10 * index + place) as u8; length]);
        }
    }
    let (sent, calls) = socket.send_all(&mut volley, never);
    assert_eq!((sent, volley.is_empty()), (Sent::All, true));
    assert!(calls <= 3, "{calls} calls");
    let expected_source = SocketAddr::new(from.unwrap_or(ip).parse().unwrap(), port);
    let mut buffer = [0; 2_000];
    for (index, peer) in peers.iter().enumerate() {
        for (place, length) in shape(index).into_iter().enumerate() {
            let (received, source) = peer.recv_from(&mut buffer).unwrap();
            assert_eq!((received, source), (length, expected_source), "datagram {place} of peer {index}");
            assert!(buffer[..received].iter().all(|byte| usize::from(*byte) == 10 * index + place));
        }
    }
}

#[tokio::test]
async fn a_volley_arrives_as_what_it_was_made_of_and_takes_few_calls() {
    a_volley("127.0.0.1:0", "127.0.0.1", None).await;
    a_volley("0.0.0.0:0", "127.0.0.1", Some("127.0.0.9")).await;
    a_volley("[::]:0", "127.0.0.1", Some("127.0.0.9")).await;
    a_volley("[::]:0", "::1", Some("::1")).await;
    a_volley("[::1]:0", "::1", None).await;
    // One address, whatever is said of it.
    a_volley("127.0.0.1:0", "127.0.0.1", Some("127.0.0.1")).await;
}

#[tokio::test]
async fn what_the_kernel_refuses_of_a_volley_does_not_keep_the_rest() {
    let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let peers = audience(6, "127.0.0.1");
    let nowhere: SocketAddr = "[2001:db8::1]:9".parse().unwrap();
    let mut volley = Volley::new();
    for (index, peer) in peers.iter().enumerate() {
        if index % 2 == 0 {
            write(&mut volley, nowhere, None, &[9; 20]);
        }
        write(&mut volley, peer.local_addr().unwrap(), None, &[index as u8; 20]);
    }
    let mut refused = Vec::new();
    let (sent, _) = socket.send_all(&mut volley, |burst, _| refused.push(burst.destination()));
    assert_eq!((sent, refused), (Sent::All, vec![nowhere; 3]));
    assert!(volley.is_empty());
    for (index, peer) in peers.iter().enumerate() {
        let mut buffer = [0; 30];
        assert_eq!((peer.recv(&mut buffer).unwrap(), buffer[0]), (20, index as u8));
    }
}
