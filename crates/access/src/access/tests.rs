//! Users, tokens and keys as peers meet them, on a clock that stands until it is moved.

use std::{
    net::IpAddr,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::{Duration, Instant, SystemTime},
};

use headwater_graph::BoxFuture;
use headwater_media::limits;
use parking_lot::Mutex;
use serde_json::json;

use super::*;
use crate::{
    Caller, Credentials, Refused, Role, Secret, Why, hash_password, make_token, surroundings::Surroundings,
    tokens::tests::Signer,
};

/// The process of the tests.
struct Clock {
    begun: Instant,
    passed: Mutex<Duration>,
    set: Mutex<Option<Vec<u8>>>,
    fetches: AtomicUsize,
    works: AtomicUsize,
}

impl Clock {
    fn new() -> Arc<Clock> {
        let (passed, set, fetches, works) = Default::default();
        Arc::new(Clock { begun: Instant::now(), passed, set, fetches, works })
    }

    fn pass(&self, seconds: u64) {
        *self.passed.lock() += Duration::from_secs(seconds);
    }
}

const NOW: u64 = 2_000_000_000;

impl Surroundings for Clock {
    fn now(&self) -> Instant {
        self.begun + *self.passed.lock()
    }

    fn wall_clock(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(NOW) + *self.passed.lock()
    }

    fn work(&self, work: Box<dyn FnOnce() + Send>) {
        self.works.fetch_add(1, Relaxed);
        std::thread::spawn(work);
    }

    fn fetch_keys(&self) -> BoxFuture<'_, Result<Vec<u8>, String>> {
        self.fetches.fetch_add(1, Relaxed);
        let set = self.set.lock().clone();
        Box::pin(async move { set.ok_or_else(|| "nobody is there".to_owned()) })
    }
}

fn access(clock: &Arc<Clock>, build: impl FnOnce(&mut AccessBuilder)) -> Access {
    let mut builder = AccessBuilder::new();
    build(&mut builder);
    builder.build(clock.clone()).unwrap()
}

fn keyed(clock: &Arc<Clock>, key: &str) -> Access {
    access(clock, |builder| assert!(builder.stream_key(key).is_ok()))
}

fn word(text: &str) -> Credentials {
    Credentials { token: Some(Secret::new(text)), ..Credentials::default() }
}

fn parameter(name: &str, text: &str) -> Credentials {
    Credentials { parameters: vec![(name.into(), Secret::new(text))], ..Credentials::default() }
}

fn user(name: &str, password: &str) -> Credentials {
    Credentials { user: Some((name.into(), Secret::new(password))), ..Credentials::default() }
}

async fn publish(access: &Access, from: &str, credentials: &Credentials, stream: &str) -> Result<(), Refused> {
    let remote = Some(from.parse().unwrap());
    access.admit(remote, &[credentials], Action::Publish, &stream.parse().unwrap()).await.map(drop)
}

fn why(result: Result<impl std::fmt::Debug, Refused>) -> Why {
    result.unwrap_err().why
}

#[tokio::test]
async fn without_credentials_nobody_is_asked_and_with_any_publishers_are() {
    let clock = Clock::new();
    let open = access(&clock, |_| {});
    assert!(!open.has_credentials() && publish(&open, "192.0.2.1", &Credentials::default(), "a").await.is_ok());
    let keyed = keyed(&clock, "publish:live/*:correct horse");
    assert!(keyed.has_credentials() && !keyed.has_roles() && !keyed.asks(Action::Play));
    assert_eq!(why(publish(&keyed, "192.0.2.1", &Credentials::default(), "live/a").await), Why::Unknown);
    let play = keyed.admit(None, &[], Action::Play, &"live/a".parse().unwrap()).await;
    assert_eq!(play, Ok(None), "playing is free unless said");
    let closed = access(&clock, |builder| {
        builder.play(Asked::Authenticated);
        builder.publish(Asked::Anyone);
        builder.stream_key("play:live/*:correct horse").unwrap();
    });
    assert!(publish(&closed, "192.0.2.1", &Credentials::default(), "live/a").await.is_ok());
    let play = |credentials| {
        let closed = closed.clone();
        async move { closed.admit(None, &[&credentials], Action::Play, &"live/a".parse().unwrap()).await }
    };
    assert_eq!(why(play(Credentials::default()).await), Why::Unknown);
    assert!(play(word("correct horse")).await.is_ok());
}

#[tokio::test]
async fn a_key_is_good_by_each_way_that_peers_bring_one() {
    let clock = Clock::new();
    let access = access(&clock, |builder| {
        builder.stream_key("publish:live/*:correct horse").unwrap();
        builder.stream_key("play:other:correct horse").unwrap();
    });
    for credentials in [
        word("correct horse"),
        parameter("key", "correct horse"),
        parameter("token", "correct horse"),
        user("", "correct horse"),
        user("live", "correct horse"),
        Credentials {
            parameters: vec![("user".into(), Secret::new("x")), ("pass".into(), Secret::new("correct horse"))],
            ..Credentials::default()
        },
    ] {
        assert_eq!(publish(&access, "192.0.2.1", &credentials, "live/a").await, Ok(()), "{credentials:?}");
        assert_eq!(why(publish(&access, "192.0.2.1", &credentials, "other").await), Why::Forbidden);
        access.0.load().lasting.failures.take_back(Some("192.0.2.1".parse().unwrap()));
    }
    let connection = word("correct horse");
    let stream = "live/a".parse().unwrap();
    let both = [&Credentials::default(), &connection];
    assert!(access.admit(None, &both, Action::Publish, &stream).await.is_ok(), "what came with the connection counts");
    assert_eq!(why(publish(&access, "192.0.2.1", &word("wrong horse"), "live/a").await), Why::Unknown);
}

#[tokio::test]
async fn users_and_tokens_have_roles() {
    let clock = Clock::new();
    let (token, hash) = make_token().unwrap();
    let access = access(&clock, |builder| {
        builder.user(&format!("anna:publisher:{}", hash_password("correct horse").unwrap())).unwrap();
        builder.token(&format!("grafana:viewer:{hash}")).unwrap();
    });
    assert!(publish(&access, "192.0.2.1", &user("anna", "correct horse"), "any/stream").await.is_ok());
    assert_eq!(why(publish(&access, "192.0.2.1", &word(&token), "any").await), Why::Forbidden, "viewers only look");
    let identify = |credentials: Credentials| {
        let access = access.clone();
        async move { access.identify(None, &credentials).await }
    };
    assert_eq!(identify(Credentials::default()).await, Ok(None));
    assert_eq!(identify(word(&token)).await, Ok(Some(Caller::with_role("grafana", Role::Viewer))));
    assert_eq!(identify(user("ci", &token)).await, Ok(Some(Caller::with_role("grafana", Role::Viewer))));
    assert_eq!(why(identify(user("anna", "wrong")).await), Why::Unknown);
    assert_eq!(why(identify(user("bob", "correct horse")).await), Why::Unknown);
    let works = clock.works.load(Relaxed);
    for _ in 0..100 {
        assert!(identify(user("anna", "correct horse")).await.is_ok());
    }
    assert_eq!(clock.works.load(Relaxed), works, "a password that was right is known again without the slow check");
}

#[tokio::test]
async fn attack_h4_guessing_is_slowed_down_by_address_and_hits_nobody_else() {
    let clock = Clock::new();
    let access = keyed(&clock, "publish:**:correct horse");
    let guess = async |text: &str, from: &str| publish(&access, from, &word(text), "a").await;
    for number in 0..10 {
        assert_eq!(why(guess(&format!("guess {number}"), "192.0.2.1").await), Why::Unknown);
    }
    for _ in 0..20 {
        assert_eq!(why(guess("correct horse", "192.0.2.1").await), Why::TooMany, "nothing is learnt from the answer");
    }
    assert!(guess("correct horse", "192.0.2.2").await.is_ok());
    clock.pass(1);
    assert_eq!(why(guess("guess 11", "192.0.2.1").await), Why::Unknown);
    assert_eq!(why(guess("guess 12", "192.0.2.1").await), Why::TooMany);
    clock.pass(60);
    assert!(guess("correct horse", "192.0.2.1").await.is_ok());
}

#[tokio::test]
async fn attack_h4_passwords_sent_all_at_once_are_guesses_all_the_same() {
    let clock = Clock::new();
    let hash = hash_password("correct horse").unwrap();
    let access = access(&clock, |builder| builder.user(&format!("anna:admin:{hash}")).unwrap());
    let from = Some("192.0.2.1".parse().unwrap());
    let guesses: Vec<_> = (0..60).map(|number| user("anna", &format!("guess {number}"))).collect();
    let (mut unknown, mut too_many) = (0, 0);
    let mut all: Vec<_> = guesses.iter().map(|guess| Box::pin(access.identify(from, guess))).collect();
    // All have begun before one has ended.
    for next in &mut all {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        if let std::task::Poll::Ready(result) = next.as_mut().poll(&mut context) {
            assert_eq!(why(result), Why::TooMany);
            too_many += 1;
        } else {
            unknown += 1;
        }
    }
    assert_eq!((unknown, too_many), (10, 50));
    drop(all);
    assert_eq!(access.0.load().lasting.waiting.load(Relaxed), 0);
}

#[tokio::test]
async fn passwords_of_many_addresses_wait_their_turn_up_to_a_bound() {
    let clock = Clock::new();
    let hash = hash_password("correct horse").unwrap();
    let access = access(&clock, |builder| builder.user(&format!("anna:admin:{hash}")).unwrap());
    let credentials = user("anna", "wrong");
    let checks = (0..100).map(|number| {
        let (access, credentials) = (access.clone(), credentials.clone());
        tokio::spawn(async move { access.identify(Some(IpAddr::from([10, 0, 0, number])), &credentials).await })
    });
    let checks: Vec<_> = checks.collect();
    let mut refused = 0;
    for check in checks {
        refused += usize::from(why(check.await.unwrap()) == Why::TooMany);
    }
    assert_eq!(refused, 100 - headwater_media::limits::ACCESS_PASSWORDS.get_usize());
    assert!(access.identify(None, &user("anna", "correct horse")).await.unwrap().is_some());
}

#[tokio::test]
async fn keys_are_fetched_when_a_token_names_an_unknown_one_and_at_most_once_a_minute() {
    let clock = Clock::new();
    let access = access(&clock, |builder| builder.key_set("somewhere", None).unwrap());
    let (first, second) = (Signer::ed(), Signer::ed());
    let serve = |keys: serde_json::Value| *clock.set.lock() = Some(json!({ "keys": keys }).to_string().into_bytes());
    let claims = json!({ "exp": NOW + 600, "publish": "**" });
    let (one, two) = (word(&first.sign(Some("1"), &claims)), word(&second.sign(Some("2"), &claims)));
    let attempt = async |token: &Credentials| publish(&access, "192.0.2.1", token, "a").await;

    assert_eq!(why(attempt(&one).await), Why::Unknown, "nobody gives keys");
    serve(json!([first.jwk("1")]));
    clock.pass(1);
    assert_eq!(why(attempt(&one).await), Why::Unknown, "the minute is not over");
    assert_eq!(clock.fetches.load(Relaxed), 1);
    clock.pass(60);
    assert!(attempt(&one).await.is_ok());
    serve(json!([first.jwk("1"), second.jwk("2")]));
    for _ in 0..50 {
        clock.pass(1);
        assert_eq!(why(attempt(&two).await), Why::Unknown);
    }
    clock.pass(60);
    assert!(attempt(&two).await.is_ok() && attempt(&one).await.is_ok());
    assert_eq!(clock.fetches.load(Relaxed), 3);
    *clock.set.lock() = None;
    clock.pass(60);
    assert_eq!(why(attempt(&word(&second.sign(Some("3"), &claims))).await), Why::Unknown);
    assert!(attempt(&two).await.is_ok(), "the keys of before stay in force");
}

#[tokio::test]
async fn what_is_too_long_is_not_looked_at() {
    let clock = Clock::new();
    let access = keyed(&clock, "publish:**:correct horse");
    let long = "x".repeat(9_000);
    for credentials in [word(&long), user("anna", &long), parameter("key", &long)] {
        assert!(publish(&access, "192.0.2.1", &credentials, "a").await.unwrap_err().sentence.contains("too long"));
    }
}

mod replace;
