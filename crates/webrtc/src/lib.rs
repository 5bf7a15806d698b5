//! WebRTC sessions on sharded threads over str0m.
