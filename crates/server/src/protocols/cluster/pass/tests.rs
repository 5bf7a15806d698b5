use std::time::Duration;

use headwater_cluster::{Role, Settings};
use headwater_net::Reach;

use super::*;

const ID: &str = "0123456789abcdef0123456789abcdef";
const REMOTE: &str = "192.0.2.1:5000";

fn dialer() -> Dialer {
    Dialer::new(Reach::default(), None).unwrap()
}

fn cluster(name: &str, secret: &str) -> (Cluster, NodeId) {
    let node = NodeId::new(name).unwrap();
    let settings = Settings {
        node: node.clone(),
        url: "ws://127.0.0.1:1".into(),
        media: "ws://127.0.0.1:2".into(),
        role: Role::Origin,
        groups: Vec::new(),
        entry: Vec::new(),
        secret: headwater_access::Secret::new(secret),
        allow: Vec::new(),
        version: String::new(),
        forget_after: Some(Duration::from_secs(1)),
        plain: false,
        mutual: false,
    };
    (Cluster::start(settings, dialer()).unwrap(), node)
}

fn request(path: &str, fields: &[(&str, &str)]) -> Request<()> {
    let mut request = Request::builder().uri(path);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap()
}

/// What a path leads to: the path that is answered here and for whom, or a status.
fn found(passing: &Passing, path: &str, fields: &[(&str, &str)]) -> Result<(String, String), u16> {
    match passing.find(request(path, fields), REMOTE.parse().unwrap()) {
        Way::Here(request, remote) => {
            assert!(!request.headers().contains_key(SERVER_HEADER) || fields.len() == 1);
            assert!(!request.headers().contains_key(CLIENT_HEADER));
            Ok((request.uri().to_string(), remote.to_string()))
        }
        Way::There(_, owner) => panic!("passed on to {owner:?}"),
        Way::Nowhere(response) => Err(response.status().as_u16()),
    }
}

#[tokio::test]
async fn a_node_answers_under_its_own_mark_and_only_for_what_one_node_alone_has() {
    let (cluster, node) = cluster("origin-1", "0123456789abcdef");
    let (home, passing) = (Known::new(cluster.clone(), &node).home, Passing::new(cluster, &node, dialer()));
    for path in [format!("/cam/whep/{ID}?a=b"), format!("/a/cam/whip/{ID}"), "/cam/_main.m3u8?viewer=1".into()] {
        assert_eq!(found(&passing, &format!("{home}{path}"), &[]), Ok((path, REMOTE.into())));
    }
    for path in ["/cam/whip", "/cam/whep", "/cam/index.m3u8", "/rest-api/stream/find_all", "/metrics", "/", "", "//"] {
        assert_eq!(found(&passing, &format!("{home}{path}"), &[]), Err(404), "{path}");
    }
    for mark in ["", "0", "0123456789ab", "127.0.0.1:80", "%2e%2e"] {
        assert_eq!(found(&passing, &format!("/~{mark}/cam/whep/{ID}"), &[]), Err(404), "{mark}");
    }
}

#[tokio::test]
async fn whom_a_request_is_passed_on_for_is_believed_of_nodes_alone() {
    let ((cluster, node), (stranger, _)) =
        (cluster("origin-1", "0123456789abcdef"), cluster("origin-2", "another 89abcdef"));
    let (proof, lie) = (cluster.token(), stranger.token());
    let (home, passing) = (Known::new(cluster.clone(), &node).home, Passing::new(cluster, &node, dialer()));
    let path = format!("/cam/whep/{ID}");
    let own = format!("{home}{path}");
    let (client, server) = ("headwater-client", "headwater-server");
    let of = |remote: &str| Ok((path.clone(), remote.to_owned()));
    assert_eq!(found(&passing, &own, &[(client, "192.0.2.9:7"), (server, &proof)]), of("192.0.2.9:7"));
    assert_eq!(found(&passing, &own, &[(client, "192.0.2.9:7"), (server, &lie)]), of(REMOTE));
    assert_eq!(found(&passing, &own, &[(client, "192.0.2.9:7")]), of(REMOTE));
    assert_eq!(found(&passing, &own, &[(client, "nobody"), (server, &proof)]), of(REMOTE));
    // Calls of the API come from nodes alone.
    let call = format!("{home}/rest-api/stream/find_all");
    assert_eq!(
        found(&passing, &call, &[(client, "192.0.2.9:7"), (server, &proof)]),
        Ok(("/rest-api/stream/find_all".into(), "192.0.2.9:7".into()))
    );
    for fields in [&[(client, "192.0.2.9:7"), (server, lie.as_str())][..], &[(server, proof.as_str())], &[]] {
        assert_eq!(found(&passing, &call, fields), Err(404));
    }
    assert_eq!(found(&passing, &format!("{home}/metrics"), &[(client, "192.0.2.9:7"), (server, &proof)]), Err(404));
    // It goes no further than once.
    let other = format!("/~0123456789ab{path}");
    assert_eq!(found(&passing, &other, &[(client, "192.0.2.9:7"), (server, &proof)]), Err(421));
}
