//! MSE over WebSocket: a stream as fragmented MP4, for pages that play it with Media Source Extensions.
