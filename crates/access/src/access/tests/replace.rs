//! Other users, tokens and keys than before.

use super::*;

fn successor(clock: &Arc<Clock>, build: impl FnOnce(&mut AccessBuilder)) -> Successor {
    let mut builder = AccessBuilder::new();
    build(&mut builder);
    builder.succeed(clock.clone()).unwrap()
}

#[tokio::test]
async fn others_that_are_put_in_force_are_asked_for_by_every_clone_from_then_on() {
    let clock = Clock::new();
    let access = keyed(&clock, "publish:live/*:correct horse");
    let held = access.clone();
    let key = word("correct horse");
    assert!(publish(&held, "192.0.2.1", &key, "live/a").await.is_ok());
    access.replace(successor(&clock, |builder| builder.stream_key("publish:live/*:another horse").unwrap()));
    assert_eq!(why(publish(&held, "192.0.2.1", &key, "live/a").await), Why::Unknown);
    assert!(publish(&held, "192.0.2.1", &word("another horse"), "live/a").await.is_ok());
    access.replace(successor(&clock, |_| {}));
    assert!(!held.has_credentials() && publish(&held, "192.0.2.1", &Credentials::default(), "a").await.is_ok());
}

#[tokio::test]
async fn who_guesses_is_not_forgotten_when_others_are_put_in_force() {
    let clock = Clock::new();
    let access = keyed(&clock, "publish:**:correct horse");
    for _ in 0..limits::ACCESS_FAILURES.get() {
        assert_eq!(why(publish(&access, "192.0.2.1", &word("wrong"), "a").await), Why::Unknown);
    }
    access.replace(successor(&clock, |builder| builder.stream_key("publish:**:correct horse").unwrap()));
    assert_eq!(why(publish(&access, "192.0.2.1", &word("wrong"), "a").await), Why::TooMany);
}

#[tokio::test]
async fn keys_that_were_fetched_stay_for_as_long_as_they_come_from_the_same_place() {
    let (clock, signer) = (Clock::new(), Signer::ed());
    let access = access(&clock, |builder| builder.key_set("here", None).unwrap());
    *clock.set.lock() = Some(json!({ "keys": [signer.jwk("1")] }).to_string().into_bytes());
    assert_eq!(access.fetch_keys().await, Ok(true));
    *clock.set.lock() = None;
    let token = word(&signer.sign(Some("1"), &json!({ "exp": NOW + 600 })));
    for (place, expected) in [("here", true), ("there", false)] {
        access.replace(successor(&clock, |builder| builder.key_set(place, None).unwrap()));
        assert_eq!(access.identify(None, &token).await.is_ok(), expected, "{place}");
    }
}
