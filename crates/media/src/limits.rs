//! Every limit that a peer can run into: one table, each with a name, a default, a unit and a count of hits.
//!
//! Code that enforces a limit reads it with [`Limit::get`] and calls [`Limit::hit`] when it refuses something;
//! the configuration may set other values at start; metrics and the reference page are made from [`TABLE`].

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// A bound on what one peer, or all together, may make the server do.
#[derive(Debug)]
pub struct Limit {
    /// Its name in the configuration, in metrics and in errors.
    pub name: &'static str,
    /// The value where the configuration does not say.
    pub default: u64,
    /// What it counts.
    pub unit: &'static str,
    /// What it bounds, in one sentence.
    pub what: &'static str,
    value: AtomicU64,
    hits: AtomicU64,
}

impl Limit {
    const fn new(name: &'static str, default: u64, unit: &'static str, what: &'static str) -> Limit {
        Limit { name, default, unit, what, value: AtomicU64::new(default), hits: AtomicU64::new(0) }
    }

    /// The value in force.
    pub fn get(&self) -> u64 {
        self.value.load(Relaxed)
    }

    /// The value in force as a size or count in memory.
    pub fn get_usize(&self) -> usize {
        usize::try_from(self.get()).unwrap_or(usize::MAX)
    }

    /// The value in force as a time; for limits counted in milliseconds.
    pub fn get_duration(&self) -> Duration {
        Duration::from_millis(self.get())
    }

    /// Sets another value, for the whole process.
    pub fn set(&self, value: u64) {
        self.value.store(value, Relaxed);
    }

    /// Counts that something was refused because of it.
    pub fn hit(&self) {
        self.hits.fetch_add(1, Relaxed);
    }

    /// How often it was hit since the process started.
    pub fn hits(&self) -> u64 {
        self.hits.load(Relaxed)
    }
}

macro_rules! limits {
    ($($(#[$meta:meta])* $ident:ident = $default:expr, $unit:literal, $what:literal;)*) => {
        $(
            #[doc = $what]
            pub static $ident: Limit = Limit::new(stringify!($ident), $default, $unit, $what);
        )*

        /// All limits, in the order of the reference page. Names are upper case here and lower case in the configuration.
        pub static TABLE: &[&Limit] = &[$(&$ident),*];
    };
}

limits! {
    CONNECTIONS = 16_000, "connections", "TCP connections open at once, over all listeners.";
    CONNECTIONS_PER_ADDRESS = 1_024, "connections", "TCP connections open at once from one address (IPv6: one /64); loopback is exempt.";
    STREAMS = 10_000, "streams", "Streams live at once.";
    STREAM_WINDOW_BYTES = 32 << 20, "bytes", "Media that one lane of a stream keeps for late joiners and slow viewers.";
    STREAM_WINDOW_MS = 10_000, "milliseconds", "Media time that one lane of a stream keeps.";
    STREAM_TRACKS = 16, "tracks", "Tracks of one stream.";
    FRAME_BYTES = 16 << 20, "bytes", "One coded frame (an AV1 or VP9 temporal unit included).";
    NAL_UNIT_BYTES = 8 << 20, "bytes", "One NAL unit of H.264 or H.265.";
    PARAMETER_SETS_BYTES = 64 << 10, "bytes", "All parameter sets of one H.264 or H.265 track that comes in RTP packets.";
    PICTURE_SIDE = 8_192, "pixels", "Width or height of a picture that a sequence header may announce.";
    JITTER_MS = 500, "milliseconds", "How long in media time a missing RTP packet is waited for before its frame is given up.";
    JITTER_PACKETS = 1_024, "packets", "RTP packets held back while an earlier one is missing.";
    VIEWER_LAG_BYTES = 4 << 20, "bytes", "How far a viewer may fall behind before it skips to the newest group.";
    VIEWER_LAG_MS = 2_000, "milliseconds", "How far in media time a viewer may fall behind before it skips to the newest group.";
    TLS_HANDSHAKE_MS = 5_000, "milliseconds", "Time for a TLS handshake.";
    HTTP_HEADER_MS = 10_000, "milliseconds", "Time for an HTTP request's head.";
    HTTP_HEADER_BYTES = 16 << 10, "bytes", "An HTTP request's head.";
    HTTP_BODY_BYTES = 1 << 20, "bytes", "An HTTP request's body.";
    HTTP_BODY_MS = 10_000, "milliseconds", "Time between two parts of an HTTP request's body.";
    HTTP_WRITE_MS = 10_000, "milliseconds", "Time that an HTTP client may take none of what is sent to it before its connection is closed.";
    REST_JSON_DEPTH = 16, "levels", "Nesting of the body of a REST call.";
    REST_LIST = 1_000, "entries", "Ids in a list of a REST call.";
    REST_PAGE = 200, "entries", "Publishers or viewers in one answer of `/rest-api/stream/page`.";
    ACCESS_FAILURES = 10, "failures", "Wrong passwords and keys from one address (IPv6: one /64) within a minute; beyond it one attempt a second is looked at.";
    ACCESS_ADDRESSES = 10_000, "addresses", "Addresses whose wrong passwords and keys are remembered; the oldest are forgotten beyond it.";
    ACCESS_PASSWORDS = 64, "passwords", "Passwords that wait to be checked at once; two are checked at a time.";
    ACCESS_TOKEN_BYTES = 8 << 10, "bytes", "A token, key or password.";
    ACCESS_TOKEN_RIGHTS = 64, "patterns", "Patterns of streams in one list of a JSON web token.";
    ACCESS_KEY_SET_BYTES = 256 << 10, "bytes", "A set of keys (JWKS) that is fetched.";
    ACCESS_KEY_SET_KEYS = 64, "keys", "Keys of a set that is fetched.";
    ACCESS_KEY_SET_MS = 60_000, "milliseconds", "Time between two fetches of a set of keys.";
    ACCESS_FETCH_MS = 5_000, "milliseconds", "Time to fetch a set of keys.";
    HOOK_APPLICATIONS = 64, "applications", "Applications with hooks.";
    HOOK_DECISIONS = 256, "hooks", "Hooks under way at once that somebody waits for; all applications together, each an equal share.";
    HOOK_DECISIONS_PER_SESSION = 8, "hooks", "The same of one session.";
    HOOK_KEEP_ALIVES = 64, "hooks", "Hooks under way at once that ask whether a stream may go on; all applications together, each an equal share.";
    HOOK_EVENTS = 10_000, "events", "Events that wait for their application to take them; all applications together, each an equal share.";
    HOOK_EVENTS_BYTES = 64 << 20, "bytes", "The same in bytes.";
    HOOK_EVENT_BYTES = 32 << 10, "bytes", "One event of a hook.";
    HOOK_EVENTS_AT_ONCE = 64, "events", "Events under way at once; all applications together, each an equal share.";
    HOOK_EVENT_AGE_MS = 3_600_000, "milliseconds", "Age beyond which an event that an application did not take is dropped.";
    HOOK_RETRY_MS = 10_000, "milliseconds", "The longest wait between two attempts to deliver an event.";
    HOOK_ANSWER_BYTES = 64 << 10, "bytes", "An application's answer to a hook.";
    HOOK_FIELDS = 64, "fields", "Names of fields in one list of an application's `restClientConfig`.";
    DIAL_MS = 5_000, "milliseconds", "Time to find, to reach and, with TLS, to shake hands with another server.";
    AGENT_ANSWER_MS = 10_000, "milliseconds", "Time for another server to answer a request for a stream over WebRTC.";
    RELAYS = 256, "relays", "Streams pushed to and pulled from other servers at once.";
    RELAY_ATTEMPTS = 6_000, "attempts", "Attempts to reach another server in a row that fail before its relay is given up.";
    ROUTES = 4_096, "streams", "Streams fetched at once from servers that work together with this one.";
    ROUTES_SOUGHT = 1_000, "names", "Names that viewers have asked for and that are waited for to appear on such a server.";
    ROUTE_FIND_MS = 600, "milliseconds", "How long a name that a viewer asks for is waited for to appear on such a server.";
    ROUTE_MOVE_MS = 2_000, "milliseconds", "How long a stream that has ended at such a server is waited for to appear on another.";
    ROUTE_ATTEMPT_MS = 2_000, "milliseconds", "Time for such a server to begin to send a stream before the next is asked.";
    ROUTE_SILENCE_MS = 2_000, "milliseconds", "How long nothing may arrive of what such a server sends, its reports and its answers to checks included, before the stream is fetched anew.";
    ROUTE_GRACE_MS = 30_000, "milliseconds", "How long viewers of a stream fetched from such a server are kept while no server sends it.";
    RELAY_WAIT_MS = 5_000, "milliseconds", "The longest wait between two attempts to reach another server.";
    PUSH_REFUSALS = 10, "refusals", "Times in a row that another server refuses a stream sent to it over WebRTC before that is given up.";
    SOUND_FILE_BYTES = 32 << 20, "bytes", "A sound file that is played into a stream sent to another server.";
    SOUND_MS = 600_000, "milliseconds", "How long such a sound file may last.";
    SOUNDS = 8, "files", "Sound files that are held in memory at once for streams sent to other servers.";
    RELAY_IDLE_MS = 10_000, "milliseconds", "Time without viewers after which a stream that a viewer had pulled is given back.";
    BALANCER_EDGES = 256, "edges", "Edges that a balancer lists.";
    BALANCER_ANSWER_MS = 2_000, "milliseconds", "Time for an edge to be reached by the balancer and to say how it is.";
    BALANCER_ANSWER_BYTES = 1 << 20, "bytes", "An edge's answer to the balancer.";
    BALANCER_FAILURES = 2, "attempts", "Attempts of the balancer to ask an edge in a row that fail before nobody is sent there.";
    RTMP_ARRIVING = 1_600, "connections", "RTMP and RTMPS connections that have not yet finished TLS, handshake and connect: a tenth of all connections.";
    RTMP_HANDSHAKE_MS = 5_000, "milliseconds", "Time for an RTMP handshake.";
    RTMP_CONNECT_MS = 10_000, "milliseconds", "Time from an RTMP handshake to the connect command.";
    RTMP_START_MS = 10_000, "milliseconds", "Time from an RTMP connect to publish or play.";
    RTMP_SILENCE_MS = 10_000, "milliseconds", "Silence of an RTMP publisher before its connection is closed.";
    RTMP_WRITE_MS = 10_000, "milliseconds", "Time that an RTMP or HTTP-FLV viewer may take none of what is sent to it before its connection is closed.";
    RTMP_MEDIA_MESSAGE_BYTES = 8 << 20, "bytes", "One RTMP audio, video or data message.";
    RTMP_COMMAND_BYTES = 64 << 10, "bytes", "One RTMP command or control message.";
    RTMP_CHUNK_STREAMS = 64, "chunk streams", "Chunk streams of one RTMP connection.";
    RTMP_PARTIAL_BYTES = 16 << 20, "bytes", "Messages begun and not ended on one RTMP connection.";
    RTMP_TINY_CHUNKS = 100_000, "chunks", "Chunks of less than 64 bytes that one RTMP connection may send in a second.";
    AMF_DEPTH = 16, "levels", "Nesting of an AMF value.";
    AMF_ELEMENTS = 1_024, "elements", "Elements of all objects and arrays of one AMF message.";
    AMF_STRING_BYTES = 64 << 10, "bytes", "One AMF string.";
    FLV_MOD_EX = 8, "headers", "ModEx headers before one enhanced RTMP packet.";
    SDP_BYTES = 64 << 10, "bytes", "An SDP offer or answer.";
    SDP_LINES = 4_096, "lines", "Lines of an SDP.";
    SDP_MEDIA = 32, "m-lines", "Media sections of an SDP.";
    SDP_PAYLOAD_TYPES = 128, "payload types", "Payload types of one media section.";
    SDP_CANDIDATES = 64, "candidates", "ICE candidates that a session takes.";
    SDP_FINGERPRINTS = 4, "fingerprints", "Certificate fingerprints of an SDP.";
    WEBRTC_PENDING = 1_000, "sessions", "WebRTC sessions that have not yet finished ICE and DTLS.";
    WEBRTC_PENDING_PER_ADDRESS = 100, "sessions", "The same from one address; loopback is exempt.";
    WEBRTC_FIRST_CHECK_MS = 10_000, "milliseconds", "Time from a WHEP answer to the first valid ICE check and the end of the DTLS handshake.";
    WEBRTC_CONSENT_MS = 30_000, "milliseconds", "Silence of a WebRTC peer before its session ends (RFC 7675).";
    WEBRTC_VIEWERS_PER_SHARD = 20_000, "viewers", "WebRTC viewers of one shard.";
    WEBRTC_SOURCES = 64, "sources", "Synchronization sources (SSRC) that one WebRTC peer may send from.";
    WEBRTC_RENDITIONS = 8, "renditions", "Simulcast renditions of one track.";
    HOP_RENDITIONS = 4, "renditions", "Renditions of one picture that a server asks another for, or brings it.";
    WEBRTC_MEDIA_MS = 10_000, "milliseconds", "Time from the connection of a WebRTC publisher to its first media.";
    WEBRTC_PUBLISHER_SILENCE_MS = 10_000, "milliseconds", "Silence of a WebRTC publisher before its session ends and its stream waits for it to come back.";
    WEBRTC_PUBLISHER_YIELD_MS = 2_000, "milliseconds", "Silence of a WebRTC publisher after which whoever publishes under its name takes its stream over.";
    WEBRTC_CALL_SILENCE_MS = 10_000, "milliseconds", "Silence of a server that a stream is sent to over WebRTC before that session ends and another is begun.";
    WEBRTC_RIVALS = 16, "publishers", "Publishers that wait at a time to learn whether the one that has their name is gone.";
    WEBRTC_DATAGRAM_BYTES = 1_500, "bytes", "One datagram, or one framed packet of ICE-TCP.";
    WEBRTC_PATHS = 16, "addresses", "Addresses from which one WebRTC peer may have proved itself at a time.";
    WEBRTC_HANDED_OVER = 1_024, "batches", "Datagrams and connections that wait for a shard which another has received for it.";
    WEBRTC_HANDED_OVER_BYTES = 4 << 20, "bytes", "The same, in bytes of datagrams.";
    WEBRTC_SEND_QUEUE_BYTES = 4 << 20, "bytes", "Datagrams of one shard that wait while its socket's buffer is full.";
    WEBRTC_RESENDS = 125, "percent", "Media sent again to one WebRTC viewer, for what it was sent first.";
    WEBRTC_AWAITED_PACKETS = 1_024, "packets", "Packets sent to one WebRTC viewer that are remembered until it says when they arrived, to estimate what its network carries: a power of two from 64 to 16,384.";
    WEBRTC_PATCHES_PER_SECOND = 20, "requests", "PATCH requests of one WHEP session in a second.";
    HLS_SEGMENT_MS = 10_000, "milliseconds", "The longest segment of HLS; in a longer group of pictures one is cut where no decoder can start.";
    HLS_SEGMENT_BYTES = 32 << 20, "bytes", "The largest segment of HLS, to the nearest part.";
    HLS_WINDOW_BYTES = 128 << 20, "bytes", "Segments of one rendition kept in memory for players of HLS.";
    HLS_START_MS = 10_000, "milliseconds", "Time that a player of HLS is kept waiting for the first segment of a stream.";
    HLS_IDLE_MS = 20_000, "milliseconds", "Time without requests after which no more segments of a stream are made.";
    HLS_HOLDS = 20_000, "requests", "Requests of HLS players held until there is what they ask for.";
    HLS_HOLDS_PER_ADDRESS = 2_000, "requests", "The same from one address; loopback is exempt.";
    HLS_HOLDS_PER_VIEWER = 8, "requests", "The same of one viewer.";
    HLS_VIEWERS = 20_000, "viewers", "Viewers of HLS.";
    HLS_VIEWERS_PER_ADDRESS = 2_000, "viewers", "The same from one address; loopback is exempt.";
    HLS_VIEWER_SILENCE_MS = 20_000, "milliseconds", "Time without a request for a playlist after which a viewer of HLS has left.";
    HLS_QUERY_BYTES = 4 << 10, "bytes", "What a player of HLS brings in the query of its address, which is carried into every address of its playlists.";
    GATE_MS = 10_000, "milliseconds", "Time that all who decide about a publisher, a viewer or a client may take together; without a decision it is refused.";
    GATE_WAITING = 1_000, "decisions", "Wishes over WHIP, WHEP and the session protocol that wait to be decided at once.";
    GATE_WAITING_PER_ADDRESS = 100, "decisions", "The same from one address; loopback is exempt.";
    WCS_MESSAGE_BYTES = 64 << 10, "bytes", "One message of the session protocol over WebSocket.";
    WCS_MESSAGES_PER_SECOND = 200, "messages", "Messages that one connection of the session protocol may send in a second.";
    WCS_CONNECT_MS = 10_000, "milliseconds", "Time from a WebSocket handshake to the message `connection`.";
    WCS_PING_MS = 5_000, "milliseconds", "Time between two pings to a client of the session protocol.";
    WCS_SILENCE_MS = 30_000, "milliseconds", "Silence of a client of the session protocol before its connection is closed.";
    WCS_SERVER_SILENCE_MS = 5_000, "milliseconds", "The same of one that is a server of this cluster, whose media nobody else takes: it is asked four times as often.";
    WCS_STREAMS = 64, "streams", "Streams that one connection of the session protocol publishes and plays at once.";
    WCS_CUSTOM_BYTES = 16 << 10, "bytes", "The custom fields of one connection or stream of the session protocol.";
    WCS_JSON_DEPTH = 16, "levels", "Nesting of a message of the session protocol.";
    WCS_JSON_MEMBERS = 1_024, "members", "Members of all objects and arrays of one message of the session protocol.";
    WCS_QUEUE = 256, "messages", "Messages that wait for one client of the session protocol to take them.";
    WCS_UNDECIDED = 16, "messages", "Messages of one client of the session protocol that are read while it is decided whether it may connect.";
    WCS_DATA = 64, "messages", "Messages for the application that one client of the session protocol has sent and that have not been taken.";
    WSPLAYER_QUEUE_BYTES = 256 << 10, "bytes", "Media that waits for one WSPlayer viewer's socket; beyond it the viewer's frames stay in the lane, and it skips when they are too many.";
    WSPLAYER_MESSAGE_BYTES = 4 << 10, "bytes", "One message of a WSPlayer viewer, which has nothing to say.";
    WSPLAYER_MESSAGES_PER_SECOND = 50, "messages", "Messages that one WSPlayer viewer may send in a second, pings included.";
    MSE_QUEUE_BYTES = 256 << 10, "bytes", "Media that waits for one MSE viewer's socket; beyond it the viewer's fragments stay in their lane, and it skips when they are too many.";
    MSE_MESSAGE_BYTES = 4 << 10, "bytes", "One message of an MSE viewer, which has nothing to say.";
    MSE_MESSAGES_PER_SECOND = 50, "messages", "Messages that one MSE viewer may send in a second, pings included.";
    LOAD_RUNS = 4, "runs", "Runs of load agents at once, of those that the REST API starts.";
    LOAD_RUNS_KEPT = 16, "runs", "Runs of load agents that are over and whose results the REST API still tells.";
    LOAD_AGENTS = 5_000, "agents", "Load agents at once.";
    LOAD_AGENTS_PER_SECOND = 200, "agents", "Load agents of one task that come or leave in a second.";
    LOAD_TASKS = 16, "tasks", "Tasks of one run of load agents.";
    LOAD_RUN_MS = 86_400_000, "milliseconds", "How long one run of load agents may last.";
    LOAD_POINTS = 3_600, "points", "Seconds of a run of load agents that are kept one by one; beyond it two become one.";
    LOAD_PICTURE_SIDE = 1_920, "pixels", "Width or height of the picture that publishing load agents send.";
    LOAD_SOURCE_BYTES = 256 << 20, "bytes", "A file that publishing load agents send.";
    LOAD_PLAYLIST_BYTES = 1 << 20, "bytes", "A playlist that a load agent reads.";
    LOAD_MEDIA_BYTES = 64 << 20, "bytes", "A segment, part or message of media that a load agent reads.";
    LOAD_SETUP_MS = 10_000, "milliseconds", "Time of a load agent from one step of its joining to the next: answer, connection, first media.";
    LOAD_SILENCE_MS = 10_000, "milliseconds", "Silence of what a load agent plays before it counts as failed.";
    KEY_FRAME_INTERVAL_MS = 500, "milliseconds", "Shortest time between two key-frame requests to one source, whatever the number of viewers.";
    EVENTS_KEPT = 4_096, "events", "Events kept for readers of `/rest-api/events` that come back or are slow.";
    EVENTS_READERS = 64, "readers", "Readers of `/rest-api/events` at once.";
    EVENTS_QUEUED = 1_024, "events", "Stream events kept for one slow subscriber before the oldest are dropped.";
    TRACE_SPANS = 4_096, "spans", "Spans of traces that wait for the collector to take them.";
    TRACE_SPANS_AT_ONCE = 512, "spans", "Spans in one request to the collector.";
    TRACE_TEXT_BYTES = 256, "bytes", "One text in a span; the rest is left out.";
    TRACE_SEND_MS = 5_000, "milliseconds", "Time that the collector of traces has to take a request.";
    TRACE_FLUSH_MS = 2_000, "milliseconds", "Time that the collector of traces has to take what is left when the server stops.";
    LOG_LINES_PER_SECOND = 1_000, "lines", "Log lines written in a second; more are dropped and their number is told.";
    CLUSTER_NODES = 400, "nodes", "Nodes of a cluster that one of them knows; beyond it the one that is gone the longest is forgotten.";
    CLUSTER_STREAMS_PER_NODE = 10_000, "streams", "Streams that one node of a cluster tells the others of.";
    CLUSTER_STREAM_KEYS = 64, "keys", "Access keys of one stream that nodes of a cluster tell each other.";
    DRAIN_STEP_MS = 20, "milliseconds", "Time between two clients that a server sends away while it is emptied; less where they would not all go in time.";
    CLUSTER_HOPS = 3, "nodes", "Nodes of a cluster that a stream may go through after the one that it is published to.";
    CLUSTER_MESSAGE_BYTES = 72 << 10, "bytes", "One message between nodes of a cluster.";
    CLUSTER_MESSAGES_PER_SECOND = 2_000, "messages", "Messages that one node of a cluster may send another in a second.";
    CLUSTER_LINKS = 600, "links", "Connections from other nodes of a cluster, those that have not proved the secret included.";
    CLUSTER_LINKS_PER_ADDRESS = 64, "links", "The same from one address; loopback is exempt.";
    CLUSTER_DIAL_MS = 2_000, "milliseconds", "Time for a connection to another node of a cluster, its TLS included, before it is tried anew.";
    CLUSTER_HANDSHAKE_MS = 5_000, "milliseconds", "Time for two nodes of a cluster to prove the secret to each other.";
    CLUSTER_SILENCE_MS = 4_000, "milliseconds", "Silence of another node of a cluster before its connection is closed.";
    CLUSTER_QUEUE = 64, "messages", "Messages that wait for one node of a cluster, and those of all that wait to be read.";
    CLUSTER_RETRY_MS = 1_000, "milliseconds", "The longest wait between two attempts to reach another node of a cluster that has not answered for less than ten minutes.";
    CLUSTER_WAIT_MS = 10_000, "milliseconds", "The same once it has not answered for longer.";
    CLUSTER_CONFLICTS = 1_024, "conflicts", "Names published on two nodes of a cluster that wait to be ended on one of them; what is left out is told again.";
    CLUSTER_PASSES = 8_000, "requests", "Requests of clients that are being passed on to the node of a cluster that has their session.";
    CLUSTER_PASSES_PER_ADDRESS = 2_000, "requests", "The same of clients of one address; loopback is exempt.";
    CLUSTER_PASS_MS = 60_000, "milliseconds", "Time that another node of a cluster has to begin to answer a request that is passed on to it; longer than requests of HLS players are held.";
}

/// The limit with this name in the configuration (lower case).
pub fn find(name: &str) -> Option<&'static Limit> {
    TABLE.iter().copied().find(|limit| limit.name.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_is_found_by_its_name_and_counts_its_hits() {
        for limit in TABLE {
            assert!(std::ptr::eq(find(&limit.name.to_lowercase()).unwrap(), *limit));
        }
        let before = SDP_BYTES.hits();
        SDP_BYTES.hit();
        assert_eq!(SDP_BYTES.hits(), before + 1);
    }
}
