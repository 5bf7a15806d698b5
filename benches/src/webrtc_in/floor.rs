//! The shortest way from a socket to packets in memory: receive, open, copy; no protocol at all.
//!
//! As many sockets send packets of the same sizes at the same pace to one socket. The call that receives is the
//! server's: up to four datagrams in one `recvmmsg`, after waiting for the first.

use std::{
    io::IoSliceMut,
    net::{Ipv4Addr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, ensure};
use aws_lc_rs::aead::AES_128_GCM;
use quinn_udp::{RecvMeta, UdpSocketState};
use rustix::{
    event::{PollFd, PollFlags, poll},
    time::Timespec,
};
use socket2::SockRef;

use crate::{camera::Camera, clock::thread_time, floor::Sealer};

/// How long the floor is measured.
const LENGTH: Duration = Duration::from_secs(5);
/// Datagrams taken by one call, as by the server.
const BATCH: usize = 4;
const RECEIVE_BYTES: usize = 65_535;
/// Where opened packets are copied to, one behind the other.
const MEMORY_BYTES: usize = 8 << 20;

/// What was measured.
pub(super) struct Floor {
    /// Nanoseconds for a packet.
    pub(super) paced: f64,
    /// Datagrams that one call brought.
    pub(super) batch: f64,
}

/// Measures it with what these cameras yield.
pub(super) fn measure(cameras: Vec<(String, Camera)>) -> Result<Floor> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let _ = SockRef::from(&socket).set_recv_buffer_size(8 << 20);
    let target = socket.local_addr()?;
    let mut senders = Vec::new();
    for (_, camera) in cameras {
        let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        sender.connect(target)?;
        senders.push(Sender { socket: sender, camera, sealer: Sealer::new(&AES_128_GCM)?, sequence: 0 });
    }
    let stop = Arc::new(AtomicBool::new(false));
    let receiver = thread::Builder::new().name("floor".into()).spawn({
        let stop = stop.clone();
        let mut keys = vec![None; 1 << 16];
        for sender in &senders {
            keys[usize::from(sender.socket.local_addr()?.port())] = Some(Arc::new(Sealer::new(&AES_128_GCM)?));
        }
        move || receive(&socket, &keys, &stop)
    })?;
    let sent = send(&mut senders);
    thread::sleep(Duration::from_millis(100));
    stop.store(true, Ordering::Release);
    let received = receiver.join().map_err(|_| anyhow!("the receiver failed"))??;
    ensure!(received.packets * 100 >= sent? * 99, "the floor lost packets");
    Ok(Floor {
        paced: received.time.as_nanos() as f64 / received.packets.max(1) as f64,
        batch: received.packets as f64 / received.calls.max(1) as f64,
    })
}

struct Sender {
    socket: UdpSocket,
    camera: Camera,
    sealer: Sealer,
    sequence: u16,
}

/// Sends in real time what is due, and says how many packets that were.
fn send(senders: &mut [Sender]) -> Result<u64> {
    let (start, mut sent) = (Instant::now(), 0);
    let mut datagram = vec![0; 2_048];
    let last_begin = senders.iter().map(|sender| sender.camera.next_due()).max().unwrap_or_default();
    loop {
        let next = senders.iter_mut().min_by_key(|sender| sender.camera.next_due()).context("no senders")?;
        let due = next.camera.next_due();
        if due > last_begin + LENGTH {
            return Ok(sent);
        }
        thread::sleep((start + due).saturating_duration_since(Instant::now()));
        let packet = next.camera.next().context("a camera ended")?;
        let length = next.sealer.sealed_bytes(packet.payload.len());
        next.sealer.seal(&mut datagram[..length], next.sequence, &packet.payload)?;
        next.socket.send(&datagram[..length])?;
        next.sequence = next.sequence.wrapping_add(1);
        sent += 1;
    }
}

#[derive(Default)]
struct Received {
    packets: u64,
    calls: u64,
    time: Duration,
}

fn receive(socket: &UdpSocket, keys: &[Option<Arc<Sealer>>], stop: &AtomicBool) -> Result<Received> {
    let state = UdpSocketState::new(socket.into())?;
    let mut buffers: [Vec<u8>; BATCH] = std::array::from_fn(|_| vec![0; RECEIVE_BYTES]);
    let mut meta = [RecvMeta::default(); BATCH];
    let (mut memory, mut at) = (vec![0; MEMORY_BYTES], 0);
    let mut received = Received::default();
    let begin = thread_time();
    while !stop.load(Ordering::Acquire) {
        let pause = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
        if poll(&mut [PollFd::new(socket, PollFlags::IN)], Some(&pause))? == 0 {
            continue;
        }
        let mut slices = buffers.each_mut().map(|buffer| IoSliceMut::new(buffer));
        let count = state.recv(socket.into(), &mut slices, &mut meta)?;
        received.calls += 1;
        for (meta, buffer) in meta.iter().zip(&mut buffers).take(count) {
            let Some(sealer) = keys.get(usize::from(meta.addr.port())).and_then(Option::as_ref) else { continue };
            for datagram in buffer[..meta.len].chunks_mut(meta.stride.max(1)) {
                let payload = sealer.open(datagram)?;
                if at + payload.len() > memory.len() {
                    at = 0;
                }
                memory[at..at + payload.len()].copy_from_slice(payload);
                at += payload.len();
                received.packets += 1;
            }
        }
    }
    std::hint::black_box(&memory);
    received.time = thread_time().saturating_sub(begin);
    Ok(received)
}
