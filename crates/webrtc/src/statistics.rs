//! What shards count.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use headwater_media::Times;

macro_rules! counters {
    ($($(#[doc = $doc:literal])* $name:ident,)*) => {
        /// The counts of one shard since it started, unless said otherwise.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct ShardStatistics {
            $($(#[doc = $doc])* pub $name: u64,)*
        }

        /// The same, being counted: written by the shard's thread, read by anyone.
        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: Counter,)*
            /// From the moment that readers are told of new media until every viewer of it in the shard was served.
            pub(crate) forwarding: Times,
        }

        impl Counters {
            pub(crate) fn read(&self) -> ShardStatistics {
                ShardStatistics { $($name: self.$name.get(),)* }
            }
        }
    };
}

counters! {
    #[doc = "Sessions now, those that wait for their peer included."]
    sessions,
    #[doc = "Sessions whose peer has connected."]
    connected,
    #[doc = "Media packets sent."]
    packets,
    #[doc = "Media packets received."]
    packets_received,
    #[doc = "Media packets sent again because a viewer asked."]
    packets_again,
    #[doc = "Datagrams sent."]
    datagrams,
    #[doc = "Bytes sent, without the headers of UDP, TCP and IP."]
    bytes,
    #[doc = "System calls that sent them over UDP."]
    bursts,
    #[doc = "Datagrams not sent because a send queue was full or the network refused them."]
    datagrams_dropped,
    #[doc = "Datagrams received."]
    datagrams_received,
    #[doc = "Datagrams received that belong to no session, or not to this address."]
    datagrams_ignored,
    #[doc = "Datagrams received and lost because the shard they were for is behind."]
    datagrams_lost,
    #[doc = "Key frames that viewers asked for."]
    key_frames_wanted,
    #[doc = "Key frames that publishers were asked for."]
    key_frames_requested,
    #[doc = "Times that a viewer was so far behind that it went on at the newest group."]
    skips,
    #[doc = "Sessions that failed by a fault of this program."]
    bugs,
}

/// A number that one thread writes and others read.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// Adds without a locked instruction: only the shard's own thread calls this.
    pub(crate) fn add(&self, more: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(more), Relaxed);
    }

    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}
