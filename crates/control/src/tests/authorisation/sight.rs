//! Who is told where people are.

use futures_util::StreamExt;

use super::*;

#[tokio::test]
async fn addresses_and_what_pages_say_of_visitors_are_for_operators() {
    let guarded = Guarded::new();
    let _source = guarded.server.publish("cam");
    for (role, token) in &guarded.tokens {
        let sees = role.includes(Role::Operator);
        let bearer = format!("Bearer {token}");
        for (call, field) in [
            ("stream/find_all", "remoteAddress"),
            ("stream/find", "remoteAddress"),
            ("connection/find_all", "remoteAddress"),
            ("connection/find", "remoteAddress"),
            ("connection/find", "custom"),
        ] {
            let path = format!("/rest-api/{call}");
            let (status, _, body) = guarded.call("POST", &path, Some(&bearer)).await;
            let body = body.await;
            assert_eq!((status.as_u16(), body[0].get(field).is_some()), (200, sees), "{field} of {call} by {role}");
        }
        let by_address = guarded.post("/rest-api/stream/find", &bearer, r#"{"remoteAddress":"192.0.2.7:5000"}"#).await;
        assert_eq!(by_address == 200, sees, "{role} learns by asking for an address whether it is there");
    }
}

#[tokio::test]
async fn events_are_told_without_addresses_to_those_who_only_look() {
    let guarded = Guarded::new();
    let control = guarded.server.control.clone();
    let following = tokio::spawn(async move { control.run().await });
    tokio::task::yield_now().await;
    for (role, token) in &guarded.tokens {
        let request =
            Request::get("/rest-api/events?types=published").header("authorization", format!("Bearer {token}"));
        let answer = guarded.server.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let mut events = answer.into_body().into_data_stream();
        let source = guarded.server.publish("cam");
        let event = String::from_utf8(events.next().await.unwrap().unwrap().to_vec()).unwrap();
        assert!(event.contains("\"published\"") && event.contains("rtmp-cam"), "{event}");
        assert_eq!(event.contains("192.0.2.7"), role.includes(Role::Operator), "{role}: {event}");
        drop(source);
        while guarded.server.hub.find(&"cam".parse().unwrap()).is_some() {
            tokio::task::yield_now().await;
        }
    }
    following.abort();
}
