//! What fuzzers call: any text for what a client says.

use std::net::{IpAddr, Ipv4Addr};

use http::{HeaderMap, HeaderValue, header};

use super::{
    Origins,
    wire::{Reply, Request, Status, StreamStatus},
};

/// Reads a message and writes what repeats of it.
pub fn message(text: &str) {
    match Request::read(text) {
        Ok(Request::Connection(connection)) => {
            Reply::UserData { connection, auth_token: String::new(), session: String::new() }.write();
        }
        Ok(Request::Publish(request) | Request::Play(request)) => {
            Reply::Status(Box::new(StreamStatus::of(&request, true, Status::Pending))).write();
        }
        Ok(Request::Unknown(method)) => {
            Reply::Fail { method, sentence: String::new() }.write();
        }
        _ => {}
    }
}

/// Reads the origin of a page.
pub fn origin(text: &str) {
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(header::ORIGIN, value.clone());
        headers.insert(header::HOST, value);
        Origins::new(&[text.to_owned()]).allow(&headers, IpAddr::V4(Ipv4Addr::LOCALHOST));
        Origins::default().allow(&headers, IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
}
