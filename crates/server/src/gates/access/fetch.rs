//! Sets of keys from where the configuration says: a file, or an https address.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use axum::{
    body::Body,
    http::{Request, StatusCode, Uri, header},
};
use headwater_media::limits;
use headwater_net::{Dialer, Reach, answer_over};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;

/// Where a set of keys is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    File(PathBuf),
    Url(Uri),
}

impl Place {
    /// The place that a text of the configuration means; none if it is empty.
    pub(super) fn parse(text: &str) -> Result<Option<Place>, String> {
        if text.is_empty() {
            return Ok(None);
        }
        if !text.starts_with("https://") {
            return Ok(Some(Place::File(PathBuf::from(text))));
        }
        let url: Uri = text.parse().map_err(|_| "key_set is no address that can be read".to_owned())?;
        let is_plain = url.authority().is_some_and(|authority| !authority.as_str().contains('@'));
        is_plain.then_some(Some(Place::Url(url))).ok_or_else(|| "key_set holds a user or no host".to_owned())
    }
}

/// A file of keys, up to the limit `ACCESS_KEY_SET_BYTES`. The error is a sentence without its full stop.
pub(super) fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let file = std::fs::File::open(path).map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(format!("{} is no file", path.display()));
    }
    let most = limits::ACCESS_KEY_SET_BYTES.get();
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    within(bytes, most)
}

fn within(bytes: Vec<u8>, most: u64) -> Result<Vec<u8>, String> {
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= most) {
        return Ok(bytes);
    }
    limits::ACCESS_KEY_SET_BYTES.hit();
    Err(format!("it is longer than {most} bytes"))
}

/// What connects to whoever has the keys. The operator names the address, so it may be anywhere.
pub(super) fn dialer(authorities: Option<&Path>) -> Result<Dialer, String> {
    let anywhere = Reach::new(["0.0.0.0/0", "::/0"]).map_err(|entry| format!("{entry} is no network"))?;
    Dialer::new(anywhere, authorities).map_err(|error| error.to_string())
}

/// One GET without redirects, within the limits of time and size.
pub(super) async fn get(dialer: &Dialer, url: &Uri) -> Result<Vec<u8>, String> {
    let time = limits::ACCESS_FETCH_MS.get_duration();
    tokio::time::timeout(time, exchange(dialer, url)).await.unwrap_or_else(|_| {
        limits::ACCESS_FETCH_MS.hit();
        Err(format!("no answer within {time:?}"))
    })
}

async fn exchange(dialer: &Dialer, url: &Uri) -> Result<Vec<u8>, String> {
    const HTTPS: u16 = 443;
    let host = url.host().unwrap_or_default();
    let dialed = dialer.dial(host, url.port_u16().unwrap_or(HTTPS), true).await.map_err(|error| error.to_string())?;
    let failed = |error: hyper::Error| error.to_string();
    let (mut sender, connection) = http1::handshake(TokioIo::new(dialed)).await.map_err(failed)?;
    let request = Request::get(url.path_and_query().map_or("/", |path| path.as_str()))
        .header(header::HOST, url.authority().map_or(host, |authority| authority.as_str()))
        .header(header::ACCEPT, "application/json")
        .body(Body::empty())
        .map_err(|error| error.to_string())?;
    let answered = async {
        let response = sender.send_request(request).await.map_err(failed)?;
        if response.status() != StatusCode::OK {
            return Err(format!("the answer is {}", response.status()));
        }
        let most = limits::ACCESS_KEY_SET_BYTES.get_usize();
        let body = axum::body::to_bytes(Body::new(response.into_body()), most.saturating_add(1)).await;
        let too_long = |_| "it cannot be read, or is too long".to_owned();
        within(body.map_err(too_long)?.to_vec(), limits::ACCESS_KEY_SET_BYTES.get())
    };
    answer_over(connection, answered).await
}
