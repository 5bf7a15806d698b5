//! Keys of streams by REST.

use std::{collections::BTreeMap, sync::Arc};

use headwater_media::StreamName;
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::Server;
use crate::{AccessListing, Drain, DrainObject, KeyChange, NoKeys};

/// Has one stream, `cam`, and knows that `far` is elsewhere.
#[derive(Default)]
struct Lists(Mutex<BTreeMap<String, ()>>);

impl Lists {
    fn find(stream: &StreamName) -> Result<(), NoKeys> {
        match stream.as_str() {
            "cam" => Ok(()),
            "far" => Err(NoKeys::Elsewhere("origin-2".into())),
            _ => Err(NoKeys::NoStream),
        }
    }
}

impl AccessListing for Lists {
    fn change(&self, stream: &StreamName, change: KeyChange) -> Result<(), NoKeys> {
        Lists::find(stream)?;
        let mut keys = self.0.lock();
        match change {
            KeyChange::Add(more) if more.iter().any(String::is_empty) => {
                return Err(NoKeys::BadKeys("a key is empty".into()));
            }
            KeyChange::Add(more) => keys.extend(more.into_iter().map(|key| (key, ()))),
            KeyChange::Remove(less) => keys.retain(|key, ()| !less.contains(key)),
            KeyChange::Open => keys.clear(),
        }
        Ok(())
    }

    fn keys(&self, stream: &StreamName) -> Result<Vec<String>, NoKeys> {
        Lists::find(stream).map(|()| self.0.lock().keys().cloned().collect())
    }
}

#[tokio::test]
async fn keys_are_added_removed_told_and_deleted() {
    let server = Server::with(|control| control.with_access_lists(Arc::new(Lists::default())));
    let call = async |call: &str, body: Value| server.call(&format!("cdn/stream/access_list/{call}"), body).await;
    let some = json!({ "name": "cam", "keys": ["one", "two"] });
    assert_eq!(call("add", some).await.0, 200);
    assert_eq!(call("print", json!({ "name": "cam" })).await, (axum::http::StatusCode::OK, json!(["one", "two"])));
    assert_eq!(call("remove", json!({ "name": "cam", "keys": ["one"] })).await.0, 200);
    assert_eq!(call("print", json!({ "name": "cam" })).await.1, json!(["two"]));
    assert_eq!(call("delete", json!({ "name": "cam" })).await.0, 200);
    assert_eq!(call("print", json!({ "name": "cam" })).await.1, json!([]));
}

#[tokio::test]
async fn what_cannot_be_done_is_said_with_its_field() {
    let server = Server::with(|control| control.with_access_lists(Arc::new(Lists::default())));
    let cases = [
        ("add", json!({ "name": "nobody", "keys": ["one"] }), 404, "name", "no such stream"),
        ("add", json!({ "name": "far", "keys": ["one"] }), 404, "name", "on the server origin-2"),
        ("add", json!({ "name": "cam", "keys": [""] }), 400, "keys", "A key is empty."),
        ("add", json!({ "name": "cam", "keys": [] }), 400, "keys", "no key"),
        ("remove", json!({ "name": "cam", "keys": [] }), 400, "keys", "no key"),
        ("add", json!({ "name": "cam" }), 400, "keys", "missing"),
        ("add", json!({ "name": "../cam", "keys": ["one"] }), 400, "name", "."),
        ("print", json!({ "name": "nobody" }), 404, "name", "no such stream"),
        ("delete", json!({ "name": "nobody" }), 404, "name", "no such stream"),
    ];
    for (call, body, status, field, words) in cases {
        let (found, refusal) = server.call(&format!("cdn/stream/access_list/{call}"), body.clone()).await;
        assert_eq!((found.as_u16(), refusal["field"].as_str()), (status, Some(field)), "{call} {body}: {refusal}");
        assert!(refusal["message"].as_str().unwrap().contains(words), "{refusal}");
    }
}

/// Counts how often it is told to end.
#[derive(Default)]
struct Draining(Mutex<Vec<bool>>);

impl Drain for Draining {
    fn drain(&self, exits: bool) -> DrainObject {
        self.0.lock().push(exits);
        DrainObject { state: "DRAINING", exits, viewers: 3, ..DrainObject::default() }
    }
}

#[tokio::test]
async fn a_server_is_emptied_by_rest_and_tells_how_far_that_is() {
    let draining = Arc::new(Draining::default());
    let given = draining.clone();
    let server = Server::with(|control| control.with_drain(given));
    for (body, exits) in [(json!({}), false), (json!({ "exit": true }), true)] {
        let (status, told) = server.call("cdn/drain", body).await;
        assert_eq!((status.as_u16(), &told["state"], &told["exits"]), (200, &json!("DRAINING"), &json!(exits)));
        assert_eq!((&told["viewers"], &told["viewersMoved"]), (&json!(3), &json!(0)));
    }
    assert_eq!(*draining.0.lock(), [false, true]);
    assert_eq!(server.call("cdn/drain", json!({ "exit": 1 })).await.0, 400);
    assert_eq!(Server::new().call("cdn/drain", json!({})).await.0, 501);
}
