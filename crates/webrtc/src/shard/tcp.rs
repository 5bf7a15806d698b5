//! ICE over TCP, for viewers whose network lets no UDP through.
//!
//! Source: RFC 6544, passive candidates only: the peer connects.

use std::{
    net::{IpAddr, SocketAddr},
    rc::Rc,
};

use headwater_media::limits;
use headwater_net::{Connection, IdleConnection, Listener};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::Instant,
};

use crate::{
    egress::{Carrier, Remote},
    framing::Unframer,
};

use super::{Shard, now, outbox::TcpQueue, sorting::Sorting};

/// Bytes read at once.
const READ_BYTES: usize = 16 << 10;

/// Accepts connections for as long as the shard lives.
pub(super) async fn listen(shard: Shard, listener: Listener) {
    loop {
        let connection = listener.accept().await;
        tokio::task::spawn_local(serve(shard.clone(), connection));
    }
}

async fn serve(shard: Shard, mut connection: Connection) {
    let sorting = shard.core.borrow().sorting.clone();
    let mut unframer = Unframer::default();
    if !sorting.is_alone() {
        let limit = limits::WEBRTC_FIRST_CHECK_MS.get_duration();
        let first = tokio::time::timeout(limit, first_other(&sorting, &mut connection, &mut unframer));
        let Ok(first) = first.await else {
            limits::WEBRTC_FIRST_CHECK_MS.hit();
            return;
        };
        match first {
            First::Ours => {}
            First::Others(other) => match connection.rest() {
                Ok(connection) => return sorting.hand_over_connection(other, connection, unframer),
                Err(error) => return tracing::debug!(%error, "an ICE-TCP connection could not be handed over"),
            },
            First::Nothing => return,
        }
    }
    attend(shard, connection, unframer).await;
}

/// Serves a connection that another shard has accepted.
pub(super) async fn resume(shard: Shard, connection: IdleConnection, unframer: Unframer) {
    match connection.resume() {
        Ok(connection) => attend(shard, connection, unframer).await,
        Err(error) => tracing::debug!(%error, "an ICE-TCP connection could not be handed over"),
    }
}

/// Whom the first datagram of a connection is for.
enum First {
    Ours,
    /// The shard of this number.
    Others(usize),
    /// None came, or it breaks the framing.
    Nothing,
}

async fn first_other(sorting: &Sorting, connection: &mut Connection, unframer: &mut Unframer) -> First {
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match unframer.peek() {
            Ok(Some(first)) => return sorting.other_of(first).map_or(First::Ours, First::Others),
            Ok(None) => {}
            Err(_) => return First::Nothing,
        }
        let read = connection.read(&mut buffer).await.ok().filter(|count| *count > 0);
        match read.and_then(|count| buffer.get(..count)) {
            Some(bytes) => unframer.push(bytes),
            None => return First::Nothing,
        }
    }
}

async fn attend(shard: Shard, connection: Connection, mut unframer: Unframer) {
    let remote = connection.remote();
    let local = connection.local().ok().map(|local| local.ip());
    let queue = Rc::new(TcpQueue::default());
    shard.core.borrow_mut().outbox.add_connection(remote, queue.clone());
    let (mut reader, mut writer) = tokio::io::split(connection);
    let read = read(&shard, remote, local, &mut reader, &mut unframer);
    let write = async {
        let mut bytes = Vec::new();
        loop {
            queue.take(&mut bytes).await;
            if writer.write_all(&bytes).await.is_err() {
                return;
            }
            bytes.clear();
        }
    };
    tokio::select! {
        () = read => {}
        () = write => {}
        () = queue.closed() => {}
    }
    shard.core.borrow_mut().outbox.remove_connection(remote);
}

/// Reads until the peer leaves, breaks the rules, does not prove itself in time, or is silent for too long.
async fn read(
    shard: &Shard,
    remote: SocketAddr,
    local: Option<IpAddr>,
    reader: &mut (impl AsyncReadExt + Unpin),
    unframer: &mut Unframer,
) {
    let mut buffer = vec![0; READ_BYTES];
    let mut proved = false;
    let mut deadline = Instant::now() + limits::WEBRTC_FIRST_CHECK_MS.get_duration();
    loop {
        match take(shard, remote, local, unframer) {
            Taken::Ours => {
                proved = true;
                deadline = Instant::now() + limits::WEBRTC_CONSENT_MS.get_duration();
            }
            Taken::Nothing => {}
            Taken::Foreign if proved => {}
            Taken::Foreign | Taken::Broken => return,
        }
        let Ok(read) = tokio::time::timeout_at(deadline, reader.read(&mut buffer)).await else {
            limits::WEBRTC_FIRST_CHECK_MS.hit();
            return;
        };
        let Some(bytes) = read.ok().filter(|count| *count > 0).and_then(|count| buffer.get(..count)) else {
            return;
        };
        unframer.push(bytes);
    }
}

/// What came in.
enum Taken {
    /// No whole datagram.
    Nothing,
    /// Datagrams of a session.
    Ours,
    /// Datagrams of no session.
    Foreign,
    /// The peer breaks the framing.
    Broken,
}

/// Takes the datagrams that have come in whole.
fn take(shard: &Shard, remote: SocketAddr, local: Option<IpAddr>, unframer: &mut Unframer) -> Taken {
    let from = Remote { carrier: Carrier::Tcp, address: remote };
    let mut core = shard.core.borrow_mut();
    let mut taken = Taken::Nothing;
    loop {
        match unframer.next() {
            Ok(Some(datagram)) => {
                let ours = core.receive(from, local, datagram, now());
                taken = if ours { Taken::Ours } else { Taken::Foreign };
            }
            Ok(None) => {
                core.settle(now());
                return taken;
            }
            Err(error) => {
                tracing::debug!(%remote, %error, "an ICE-TCP connection is closed");
                return Taken::Broken;
            }
        }
    }
}
