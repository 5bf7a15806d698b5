use std::{sync::Arc, time::Duration};

use headwater_graph::Peer;
use serde_json::json;
use tokio::time::timeout;

use super::*;
use crate::gates::{Admission, Gates, Visit};

const SOON: Duration = Duration::from_millis(50);

struct Scene {
    lists: AccessLists,
    gates: Gates,
    stream: StreamName,
}

impl Scene {
    /// A stream with these keys.
    fn new(keys: &[&str]) -> Scene {
        let lists = AccessLists::default();
        lists.set_parameter("aclAuth");
        let gates = Gates::new([Arc::new(lists.clone()) as Arc<dyn Gate>]);
        let scene = Scene { lists, gates, stream: StreamName::new("cam").unwrap() };
        scene.set(keys);
        scene
    }

    fn set(&self, keys: &[&str]) {
        self.lists.set(&self.stream, keys.iter().map(|key| Secret::new(*key)));
    }

    fn count(&self) -> usize {
        self.lists.0.lists.lock().len()
    }

    async fn connect(&self, query: &str) -> Visit {
        let client = Client::new(Peer::new("RTMP", "1")).with_credentials(Credentials::of_query(query));
        self.gates.connect(&client).await.unwrap()
    }

    fn wish(&self, action: Action) -> Asking {
        Asking::new(action, self.stream.clone(), "1")
    }

    async fn play(&self, query: &str) -> Result<Admission, Refused> {
        self.connect(query).await.admit(self.wish(Action::Play)).await
    }
}

async fn is_ended(admission: &Admission) -> bool {
    timeout(SOON, admission.revoked()).await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn who_plays_needs_a_key_once_there_are_some() {
    let open = Scene::new(&[]);
    assert!(open.play("").await.is_ok());
    let scene = Scene::new(&["one", "two"]);
    for (query, is_let_in) in [("aclAuth=one", true), ("x=1&aclAuth=two", true), ("aclAuth=on", false), ("", false)] {
        assert_eq!(scene.play(query).await.is_ok(), is_let_in, "{query}");
    }
    let refused = scene.play("one=aclAuth").await.unwrap_err();
    assert!(refused.why == Why::Forbidden && refused.sentence.starts_with("Restricted access"), "{refused:?}");
    assert!(scene.connect("").await.admit(scene.wish(Action::Publish)).await.is_ok());
    assert!(!format!("{:?}", scene.lists).contains("one"));
}

#[tokio::test(start_paused = true)]
async fn a_key_comes_with_the_wish_or_from_a_hook_as_well() {
    let scene = Scene::new(&["one"]);
    let visit = scene.connect("aclAuth=wrong").await;
    let mut asking = scene.wish(Action::Play);
    assert!(visit.admit(asking.clone()).await.is_err());
    asking.credentials = Credentials::of_query("aclAuth=one");
    assert!(visit.admit(asking.clone()).await.is_ok());
    asking.facts.insert("custom".into(), json!({ "aclAuth": "two" }));
    assert!(visit.admit(asking.clone()).await.is_err());
    asking.facts.insert("custom".into(), json!({ "aclAuth": "one" }));
    assert!(visit.admit(asking).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_list_that_changes_ends_those_who_lack_a_key_of_it() {
    let scene = Scene::new(&[]);
    let (one, two, none) =
        (scene.play("aclAuth=one").await.unwrap(), scene.play("aclAuth=two").await.unwrap(), scene.play("").await);
    let none = none.unwrap();
    assert!(!is_ended(&one).await && !is_ended(&none).await);
    scene.set(&["one", "two"]);
    assert!(!is_ended(&one).await && !is_ended(&two).await && is_ended(&none).await);
    // Who waits is woken.
    let waiting = tokio::spawn(async move { two.revoked().await });
    tokio::task::yield_now().await;
    scene.set(&["one"]);
    assert!(timeout(SOON, waiting).await.unwrap().unwrap().sentence.starts_with("Restricted access"));
    assert!(!is_ended(&one).await);
    assert_eq!(scene.lists.streams(), std::slice::from_ref(&scene.stream));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_kept_of_streams_without_keys_that_nobody_watches() {
    let scene = Scene::new(&[]);
    assert_eq!(scene.count(), 0);
    let viewers = [scene.play("").await.unwrap(), scene.play("").await.unwrap()];
    assert_eq!(scene.count(), 1);
    scene.set(&["one"]);
    assert!(scene.play("").await.is_err());
    scene.set(&[]);
    assert_eq!(scene.count(), 1);
    drop(viewers);
    assert_eq!((scene.count(), scene.lists.get(&scene.stream).len()), (0, 0));
}
