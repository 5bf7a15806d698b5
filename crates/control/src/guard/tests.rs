use super::*;
use axum::{body::Body, routing::any};
use tower::ServiceExt;

async fn status(router: Router, local: &str, headers: &[(&str, &str)]) -> StatusCode {
    let mut request = Request::post("/").extension(LocalAddress(local.parse().unwrap()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap().status()
}

#[tokio::test]
async fn only_own_names_are_answered_over_loopback() {
    const LOOPBACK: &str = "127.0.0.1:8080";
    const OUTSIDE: &str = "192.0.2.1:8080";
    let named: &[&str] = &["media.example.org"];
    let cases: &[(&str, &[&str], &str, bool)] = &[
        (LOOPBACK, &[], "localhost:8080", true),
        (LOOPBACK, &[], "LocalHost", true),
        (LOOPBACK, &[], "a.localhost:8080", true),
        (LOOPBACK, &[], "127.0.0.1:8080", true),
        (LOOPBACK, &[], "127.9.9.9", true),
        (LOOPBACK, &[], "[::1]:8080", true),
        (LOOPBACK, &[], "evil.example:8080", false),
        (LOOPBACK, &[], "localhost.evil.example", false),
        (LOOPBACK, &[], "127.0.0.1.evil.example", false),
        (LOOPBACK, &[], "192.0.2.1", false),
        (LOOPBACK, &[], "", true),
        (LOOPBACK, named, "MEDIA.example.org", true),
        (LOOPBACK, named, "other.example.org", false),
        (OUTSIDE, &[], "any.example.org", true),
        (OUTSIDE, &[], "192.0.2.1:8080", true),
        (OUTSIDE, named, "any.example.org", false),
        (OUTSIDE, named, "192.0.2.1:8080", true),
    ];
    for (local, hosts, host, allowed) in cases {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let router = guard_host(Router::new().route("/", any(|| async {})), Hosts::new(&hosts));
        let expected = if *allowed { StatusCode::OK } else { StatusCode::MISDIRECTED_REQUEST };
        assert_eq!(status(router, local, &[("host", host)]).await, expected, "{host} at {local} with {hosts:?}");
    }
}

#[tokio::test]
async fn names_of_the_server_may_be_others_later() {
    let hosts = Hosts::new(&["old.example.org".to_owned()]);
    let router = guard_host(Router::new().route("/", any(|| async {})), hosts.clone());
    hosts.replace(&["new.example.org".to_owned()]);
    for (host, expected) in [("old.example.org", StatusCode::MISDIRECTED_REQUEST), ("new.example.org", StatusCode::OK)]
    {
        assert_eq!(status(router.clone(), "127.0.0.1:8080", &[("host", host)]).await, expected, "{host}");
    }
}

#[tokio::test]
async fn pages_of_other_sites_change_nothing() {
    let cases: &[(&[(&str, &str)], bool)] = &[
        (&[("host", "localhost:8080")], true),
        (&[("host", "localhost:8080"), ("origin", "http://localhost:8080")], true),
        (&[("host", "localhost:8080"), ("origin", "http://localhost:9090")], false),
        (&[("host", "localhost:8080"), ("origin", "https://evil.example")], false),
        (&[("host", "localhost:8080"), ("origin", "null")], false),
        (&[("host", "localhost:8080"), ("sec-fetch-site", "cross-site")], false),
        (&[("host", "localhost:8080"), ("sec-fetch-site", "same-origin")], true),
        (&[("origin", "http://localhost:8080")], false),
    ];
    for (headers, allowed) in cases {
        let router = Router::new().route("/", any(|| async {})).layer(middleware::from_fn(check_origin));
        let expected = if *allowed { StatusCode::OK } else { StatusCode::FORBIDDEN };
        assert_eq!(status(router, "127.0.0.1:8080", headers).await, expected, "{headers:?}");
    }
}
