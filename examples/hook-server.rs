//! The back end of an application: decides who may publish and play, and prints what it is told.
//! ```sh
//! cargo run -p headwater-examples --bin hook-server -- --key SECRET --refuse secret --rename camera=hidden/camera
//! ```
//!
//! Headwater asks it with this in the configuration:
//!
//! ```toml
//! [hooks]
//! applications = ["defaultApp=http://127.0.0.1:3000/hooks"]
//! secret_key = "SECRET"
//! ```

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    routing::post,
};
use clap::Parser;
use headwater_access::Secret;
use headwater_hooks::{SIGNATURE, Signer};
use serde_json::{Value, json};

#[derive(Parser)]
struct Options {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:3000")]
    listen: SocketAddr,
    /// The `secret_key` of the server; without it nothing is checked.
    #[arg(long)]
    key: Option<String>,
    /// A stream that nobody may publish or play.
    #[arg(long)]
    refuse: Vec<String>,
    /// A stream that is really another: FROM=TO.
    #[arg(long)]
    rename: Vec<String>,
    /// Time to think, in milliseconds.
    #[arg(long, default_value_t = 0)]
    slow_ms: u64,
    /// How long a stream may last, in milliseconds; the server asks by StreamKeepAliveEvent.
    #[arg(long, default_value_t = u64::MAX)]
    last_ms: u64,
    /// How long somebody may watch, in milliseconds; the server asks by StreamKeepAliveEvent.
    #[arg(long, default_value_t = u64::MAX)]
    watch_ms: u64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Arc::new(Options::parse());
    let listener = tokio::net::TcpListener::bind(options.listen).await?;
    println!("hooks are taken at http://{}/hooks", listener.local_addr()?);
    let router = Router::new().route("/hooks/{method}", post(answer)).with_state(options);
    Ok(axum::serve(listener, router).await?)
}

async fn answer(
    State(options): State<Arc<Options>>,
    Path(method): Path<String>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Json<Value>, StatusCode> {
    let signature = headers.get(SIGNATURE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let signer = options.key.clone().map(|key| Signer::new(Secret::new(key)));
    if signer.is_some_and(|signer| !signer.verify(signature, SystemTime::now(), &bytes)) {
        return Err(StatusCode::FORBIDDEN);
    }
    let mut hook: Value = serde_json::from_slice(&bytes).map_err(|_| StatusCode::BAD_REQUEST)?;
    let name = hook["name"].as_str().unwrap_or_default().to_owned();
    println!("{method} {name} {} {}", hook["sessionId"], hook["status"]);
    tokio::time::sleep(Duration::from_millis(options.slow_ms)).await;
    match method.as_str() {
        "connect" => {
            let overwrite = json!({ "restPolicy": "OVERWRITE", "restOverwrite": "name", "restOnError": "FAIL" });
            hook["restClientConfig"] = json!({ "publishStream": overwrite, "playStream": overwrite });
        }
        "publishStream" | "playStream" | "playHLS" if options.refuse.contains(&name) => {
            return Err(StatusCode::FORBIDDEN);
        }
        "publishStream" | "playStream" | "playHLS" => {
            let mut renamed = options.rename.iter().filter_map(|rename| rename.split_once('='));
            if let Some((_, to)) = renamed.find(|(from, _)| *from == name) {
                hook["name"] = to.into();
            }
        }
        "StreamKeepAliveEvent" => {
            let longest = if hook["published"] == false { options.watch_ms } else { u64::MAX };
            if age_ms(&hook) > options.last_ms.min(longest) {
                return Err(StatusCode::FORBIDDEN);
            }
        }
        _ => {}
    }
    Ok(Json(hook))
}

fn age_ms(hook: &Value) -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
    now.saturating_sub(hook["createDate"].as_u64().unwrap_or(now))
}
