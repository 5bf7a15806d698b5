//! A back end under the control of a test.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::HeaderMap,
    response::{IntoResponse, Response},
    routing::post,
};
use headwater_graph::BoxFuture;
use serde_json::Value;
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::watch,
    task::JoinHandle,
    time::timeout,
};

/// A hook as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Hook {
    pub(crate) method: String,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Bytes,
    pub(crate) body: Value,
}

type Answer = dyn Fn(Hook) -> BoxFuture<'static, Response> + Send + Sync;

/// A back end at an address of its own; it ends when it is dropped.
pub(crate) struct BackEnd {
    pub(crate) address: SocketAddr,
    arrived: watch::Receiver<Vec<Hook>>,
    serving: JoinHandle<()>,
}

#[derive(Clone)]
struct Shared {
    answer: Arc<Answer>,
    arrived: Arc<watch::Sender<Vec<Hook>>>,
}

impl BackEnd {
    /// Answers each hook as told.
    pub(crate) async fn start<F, R>(answer: F) -> BackEnd
    where
        F: Fn(Hook) -> R + Clone + Send + Sync + 'static,
        R: IntoResponse + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        BackEnd::serve(listener, move |hook| {
            let response = answer(hook).into_response();
            Box::pin(async move { response })
        })
    }

    /// The same on an address at which one has been before.
    pub(crate) async fn start_at(address: SocketAddr, answer: fn(Hook) -> u16) -> BackEnd {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(address).unwrap();
        BackEnd::serve(socket.listen(64).unwrap(), move |hook| Box::pin(async move { status(answer(hook)) }))
    }

    /// Takes its time for each.
    pub(crate) async fn slow(time: Duration) -> BackEnd {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        BackEnd::serve(listener, move |_| {
            Box::pin(async move {
                tokio::time::sleep(time).await;
                status(200)
            })
        })
    }

    pub(crate) fn serve(
        listener: impl axum::serve::Listener<Addr = SocketAddr>,
        answer: impl Fn(Hook) -> BoxFuture<'static, Response> + Send + Sync + 'static,
    ) -> BackEnd {
        let (sender, arrived) = watch::channel(Vec::new());
        let shared = Shared { answer: Arc::new(answer), arrived: Arc::new(sender) };
        let router = Router::new().route("/hooks/{method}", post(take)).with_state(shared);
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        BackEnd { address, arrived, serving }
    }

    /// What it is configured as.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/hooks", self.address)
    }

    /// All that has arrived.
    pub(crate) fn arrived(&self) -> Vec<Hook> {
        self.arrived.borrow().clone()
    }

    /// The names of all that has arrived.
    pub(crate) fn methods(&self) -> Vec<String> {
        self.arrived().into_iter().map(|hook| hook.method).collect()
    }

    /// Waits until so many of a kind have arrived.
    pub(crate) async fn wait_for(&self, method: &str, count: usize) -> Vec<Hook> {
        let of_kind = |hooks: &Vec<Hook>| hooks.iter().filter(|hook| hook.method == method).count() >= count;
        let mut arrived = self.arrived.clone();
        let waited = timeout(Duration::from_secs(20), arrived.wait_for(of_kind)).await;
        assert!(waited.is_ok(), "{method} has not come {count} times: {:?}", self.methods());
        self.arrived().into_iter().filter(|hook| hook.method == method).collect()
    }
}

impl Drop for BackEnd {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// An empty answer.
pub(crate) fn status(status: u16) -> Response {
    axum::http::StatusCode::from_u16(status).unwrap().into_response()
}

async fn take(State(shared): State<Shared>, Path(method): Path<String>, headers: HeaderMap, bytes: Bytes) -> Response {
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    let hook = Hook { method, headers, bytes, body };
    shared.arrived.send_modify(|arrived| arrived.push(hook.clone()));
    (shared.answer)(hook).await
}
