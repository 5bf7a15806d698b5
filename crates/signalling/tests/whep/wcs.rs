//! The session protocol as a client sees it over a real WebSocket.

mod access;
mod bounds;
mod client;
mod leaving;
mod media;
mod messages;
mod operators;
mod streams;
mod upgrade;
