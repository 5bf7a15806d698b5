use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use headwater_graph::{BoxFuture, Peer};
use serde_json::json;

use super::*;
use crate::{gate::Ticket, refused::Why, servers};

/// Lets everybody in, under the name of before and one letter more; refuses `secret` streams.
struct Letter(char, Arc<AtomicUsize>);

struct Guest(char, Arc<AtomicUsize>);

struct Seat(Arc<AtomicUsize>);

impl Gate for Letter {
    fn connect<'a>(&'a self, _client: &'a Client) -> BoxFuture<'a, Result<Box<dyn Visitor>, Refused>> {
        let guest = Guest(self.0, self.1.clone());
        Box::pin(async move { Ok(Box::new(guest) as Box<dyn Visitor>) })
    }
}

impl Visitor for Guest {
    fn admit<'a>(&'a self, asking: &'a Asking) -> BoxFuture<'a, Result<Ticket, Refused>> {
        Box::pin(async move {
            if asking.stream.as_str() == "secret" {
                return Err(Refused::new(Why::Forbidden, "it is secret"));
            }
            self.1.fetch_add(1, Relaxed);
            let facts = Facts::from_iter([(self.0.to_string(), json!(true))]);
            let stream = format!("{}{}", asking.stream, self.0).parse().ok();
            Ok(Ticket { stream, facts, pass: Box::new(Seat(self.1.clone())) })
        })
    }
}

impl Pass for Seat {
    fn revoked(&self) -> BoxFuture<'_, Refused> {
        Box::pin(std::future::ready(Refused::new(Why::Forbidden, "enough")))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

fn asking(name: &str) -> Asking {
    Asking::new(Action::Play, name.parse().unwrap(), "1")
}

fn client() -> Client {
    Client::new(Peer::new("test", "s"))
}

#[tokio::test]
async fn without_gates_everything_is_allowed_as_it_is_asked_for() {
    let admission = Gates::default().admit(&client(), asking("camera")).await.unwrap();
    assert_eq!((admission.stream.as_str(), admission.facts.len()), ("camera", 0));
    let wait = std::time::Duration::from_millis(20);
    assert!(tokio::time::timeout(wait, admission.revoked()).await.is_err());
}

#[tokio::test]
async fn each_gate_sees_what_the_one_before_made_of_it() {
    let seats = Arc::new(AtomicUsize::new(0));
    let gate = |letter| Arc::new(Letter(letter, seats.clone())) as Arc<dyn Gate>;
    let gates = Gates::new([gate('a'), gate('b')]);
    let visit = gates.connect(&client()).await.unwrap();
    let admission = visit.admit(asking("camera-")).await.unwrap();
    assert_eq!(admission.stream.as_str(), "camera-ab");
    assert_eq!(serde_json::to_value(&admission.facts).unwrap(), json!({ "a": true, "b": true }));
    assert_eq!(admission.revoked().await.sentence, "enough");
    assert_eq!(seats.load(Relaxed), 2);
    drop(admission);
    assert_eq!(seats.load(Relaxed), 0, "the gates know that it is over");
    assert_eq!(visit.admit(asking("secret")).await.unwrap_err().why, Why::Forbidden);
    let counts = Wanted::ALL.iter().flat_map(|wanted| Why::ALL.iter().map(|why| gates.refusals().get(*wanted, *why)));
    assert_eq!((gates.refusals().get(Wanted::Play, Why::Forbidden), counts.sum::<u64>()), (1, 1));
}

struct Known;

impl Servers for Known {
    fn recognise(&self, shown: &str) -> Option<String> {
        (shown == "proof").then(|| "edge-1".to_owned())
    }
}

#[tokio::test]
async fn servers_are_let_in_and_nobody_else_by_their_header() {
    let shown = |value: &str| HeaderMap::from_iter([(servers::SERVER_HEADER.parse().unwrap(), value.parse().unwrap())]);
    let letter: Arc<dyn Gate> = Arc::new(Letter('a', Arc::default()));
    let gates = Gates::new([letter]);
    let clone = gates.clone();
    assert_eq!(clone.recognise(&shown("proof")), None, "no servers are known yet");
    gates.set_servers(Arc::new(Known));
    assert_eq!(clone.recognise(&shown("proof")), Some("edge-1".to_owned()));
    assert_eq!(clone.recognise(&shown("other")), None);
    assert_eq!(clone.recognise(&HeaderMap::new()), None);

    let server = Client::new(Peer::new("test", "s").with_server("edge-1"));
    assert_eq!(clone.admit(&server, asking("secret")).await.unwrap().stream.as_str(), "secret");
    assert!(clone.admit(&client(), asking("secret")).await.is_err());
}
