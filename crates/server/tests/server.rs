//! The server as its peers see it, over real sockets.

#[path = "server/attacks.rs"]
mod attacks;
#[path = "server/dashboard.rs"]
mod dashboard;
#[path = "server/docs.rs"]
mod docs;
#[path = "server/http.rs"]
mod http;
#[path = "server/https.rs"]
mod https;
#[path = "server/life.rs"]
mod life;
#[path = "server/media.rs"]
mod media;
#[path = "server/reload.rs"]
mod reload;
#[path = "server/support.rs"]
mod support;
