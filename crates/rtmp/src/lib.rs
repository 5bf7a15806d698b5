//! RTMP, enhanced RTMP, RTMPS and HTTP-FLV: wire formats, server and client.
