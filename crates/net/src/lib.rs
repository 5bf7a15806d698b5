//! The one place with sockets, threads and clocks: UDP with GSO and GRO, TCP, TLS, shards.
