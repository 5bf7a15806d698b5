//! ICE over TCP, for viewers whose network lets no UDP through.
//!
//! Source: RFC 6544, passive candidates only: the peer connects.

use std::{
    net::{IpAddr, SocketAddr},
    rc::Rc,
};

use headwater_media::limits;
use headwater_net::{Connection, Listener};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::Instant,
};

use crate::{
    egress::{Carrier, Remote},
    framing::Unframer,
};

use super::{Shard, now, outbox::TcpQueue};

/// Bytes read at once.
const READ_BYTES: usize = 16 << 10;

/// Accepts connections for as long as the shard lives.
pub(super) async fn listen(shard: Shard, listener: Listener) {
    loop {
        let connection = listener.accept().await;
        tokio::task::spawn_local(serve(shard.clone(), connection));
    }
}

async fn serve(shard: Shard, connection: Connection) {
    let remote = connection.remote();
    let local = connection.local().ok().map(|local| local.ip());
    let queue = Rc::new(TcpQueue::default());
    shard.core.borrow_mut().outbox.add_connection(remote, queue.clone());
    let (mut reader, mut writer) = tokio::io::split(connection);
    let read = read(&shard, remote, local, &mut reader);
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
async fn read(shard: &Shard, remote: SocketAddr, local: Option<IpAddr>, reader: &mut (impl AsyncReadExt + Unpin)) {
    let mut unframer = Unframer::default();
    let mut buffer = vec![0; READ_BYTES];
    let mut proved = false;
    let mut deadline = Instant::now() + limits::WEBRTC_FIRST_CHECK_MS.get_duration();
    loop {
        let Ok(read) = tokio::time::timeout_at(deadline, reader.read(&mut buffer)).await else {
            limits::WEBRTC_FIRST_CHECK_MS.hit();
            return;
        };
        let Some(bytes) = read.ok().filter(|count| *count > 0).and_then(|count| buffer.get(..count)) else {
            return;
        };
        unframer.push(bytes);
        match take(shard, remote, local, &mut unframer) {
            Taken::Ours => {
                proved = true;
                deadline = Instant::now() + limits::WEBRTC_CONSENT_MS.get_duration();
            }
            Taken::Nothing => {}
            Taken::Foreign if proved => {}
            Taken::Foreign | Taken::Broken => return,
        }
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
