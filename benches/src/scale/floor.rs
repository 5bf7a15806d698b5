//! What the datagrams of viewers that are sent nothing take by themselves: a thread that reads them and answers as many
//! as a server does, and knows nothing of viewers, keys or what they say.

use std::{
    io::IoSliceMut,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSocketState};

use crate::{clock::thread_time, sinks::UdpSinks, webrtc::Exchanged};

/// Time between two readings, as long as a shard at rest sleeps.
const NAP: Duration = Duration::from_millis(20);
/// About what a report and an answer to a check have.
const RECEIVED_BYTES: usize = 60;
const SENT_BYTES: usize = 92;
/// Room for datagrams that come as one.
const BUFFER_BYTES: usize = 2_048;

/// Seconds of CPU in a second for each of so many viewers who exchange that much with a server, measured for so long.
pub(super) fn idle(viewers: usize, exchanged: Exchanged, length: Duration) -> Result<f64> {
    let sinks = UdpSinks::seen_by_one_in(1, viewers)?;
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let at = socket.local_addr()?;
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let server = scope.spawn(|| serve(&socket, exchanged.to_viewers / exchanged.from_viewers.max(1e-9), &stop));
        let spoken = speak(&sinks, at, exchanged.from_viewers, length);
        stop.store(true, Ordering::Release);
        let used = server.join().ok().context("the floor's thread has failed")?;
        spoken?;
        Ok(used?.as_secs_f64() / length.as_secs_f64() / viewers as f64)
    })
}

/// All viewers send, one after the other, so many datagrams in all in a second.
fn speak(sinks: &UdpSinks, to: SocketAddr, in_a_second: f64, length: Duration) -> Result<()> {
    let start = Instant::now();
    let mut count = 0_u64;
    while start.elapsed() < length {
        let due = (start.elapsed().as_secs_f64() * in_a_second) as u64;
        while count < due {
            sinks.send(count as usize, &[0x81; RECEIVED_BYTES], to)?;
            count += 1;
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// Reads what has come, and answers so many of each one. Yields the CPU time that it took.
fn serve(socket: &UdpSocket, answers: f64, stop: &AtomicBool) -> Result<Duration> {
    let state = UdpSocketState::new(socket.into())?;
    let mut memory = vec![[0; BUFFER_BYTES]; BATCH_SIZE];
    let mut heads = [RecvMeta::default(); BATCH_SIZE];
    let mut owed = 0.0;
    let before = thread_time();
    while !stop.load(Ordering::Acquire) {
        thread::sleep(NAP);
        loop {
            let mut slices: Vec<IoSliceMut<'_>> = memory.iter_mut().map(|one| IoSliceMut::new(one)).collect();
            let Ok(read) = state.recv(socket.into(), &mut slices, &mut heads) else { break };
            for head in heads.iter().take(read) {
                owed += answers * head.len.div_ceil(head.stride.max(1)) as f64;
                while owed >= 1.0 {
                    owed -= 1.0;
                    socket.send_to(&[0x81; SENT_BYTES], head.addr)?;
                }
            }
            if read < BATCH_SIZE {
                break;
            }
        }
    }
    Ok(thread_time().saturating_sub(before))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_heard_of_viewers_costs_something_and_more_where_there_is_more() {
        let of = |from_viewers: f64| {
            let exchanged = Exchanged { from_viewers, to_viewers: from_viewers / 3.0 };
            idle(50, exchanged, Duration::from_secs(1)).unwrap()
        };
        let (little, much) = (of(50.0), of(5_000.0));
        assert!(little > 0.0 && much > little, "{little} {much}");
    }
}
