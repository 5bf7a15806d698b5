use headwater_access::{Admission, Gates};
use headwater_graph::Peer;
use headwater_media::StreamName;
use tokio::time::{Instant, timeout};

use super::*;

const LONG: Duration = Duration::from_secs(3600);

async fn admit(gates: &Gates, action: Action) -> Result<Admission, Refused> {
    let client = Client::new(Peer::new("WebRTC", "1"));
    gates.admit(&client, Asking::new(action, StreamName::new("cam").unwrap(), "1")).await
}

fn doors() -> (Doors, Gates) {
    let doors = Doors::default();
    let gates = Gates::new([Arc::new(doors.clone()) as Arc<dyn Gate>]);
    (doors, gates)
}

#[tokio::test(start_paused = true)]
async fn nobody_new_is_let_in_and_those_inside_stay_until_it_is_their_turn() {
    let (doors, gates) = doors();
    let (viewer, publisher) =
        (admit(&gates, Action::Play).await.unwrap(), admit(&gates, Action::Publish).await.unwrap());
    doors.set_turn(Turn::Closed);
    for action in [Action::Play, Action::Publish] {
        assert_eq!(admit(&gates, action).await.unwrap_err().why, Why::Unavailable);
    }
    assert!(timeout(LONG, viewer.revoked()).await.is_err());
    doors.set_turn(Turn::Viewers(Duration::from_secs(1)));
    assert!(timeout(Duration::from_secs(1), viewer.revoked()).await.is_ok());
    assert!(timeout(LONG, publisher.revoked()).await.is_err());
    doors.set_turn(Turn::Everybodys(Duration::from_secs(1)));
    assert_eq!(publisher.revoked().await.why, Why::Unavailable);
    assert_eq!(*doors.inside().borrow(), Inside { viewers: 1, publishers: 1, sessions: 0 });
    drop((viewer, publisher));
    assert!(doors.inside().borrow().is_empty());
    assert_eq!(doors.moved(), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn who_is_refused_and_who_is_sent_away_is_told_where_to_go() {
    let (doors, gates) = doors();
    let there = Elsewhere { play: Some("ws://edge:8080".into()), publish: None };
    doors.set_elsewhere(Arc::new(move || there.clone()));
    let viewer = admit(&gates, Action::Play).await.unwrap();
    doors.set_turn(Turn::Closed);
    let refused = admit(&gates, Action::Play).await.unwrap_err();
    doors.set_turn(Turn::Everybodys(Duration::ZERO));
    for refused in [refused, viewer.revoked().await] {
        assert_eq!(refused.instead(Action::Play), Some("ws://edge:8080"));
        assert_eq!(refused.instead(Action::Publish), None);
    }
}

#[tokio::test(start_paused = true)]
async fn many_leave_one_after_the_other() {
    let (doors, gates) = doors();
    let begun = Instant::now();
    let mut leaving = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let viewer = admit(&gates, Action::Play).await.unwrap();
        leaving.spawn(async move {
            viewer.revoked().await;
            begun.elapsed()
        });
    }
    doors.set_turn(Turn::Viewers(Duration::from_secs(10)));
    let left: Vec<_> = leaving.join_all().await;
    for second in 0..10 {
        let within = |time: &&Duration| time.as_secs() == second;
        // Twenty at the mean; more than half of all within one of ten seconds would be no spread at all.
        assert!((1..100).contains(&left.iter().filter(within).count()), "second {second}: {left:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_publishes_as_well_as_plays_leaves_as_publishers_do() {
    let (doors, gates) = doors();
    let client = Client { is_connection: true, ..Client::new(Peer::new("WebRTC", "1")) };
    let visit = gates.connect(&client).await.unwrap();
    let wish = |action| Asking::new(action, StreamName::new("cam").unwrap(), "1");
    let (played, published) = (visit.admit(wish(Action::Play)).await, visit.admit(wish(Action::Publish)).await);
    let (played, published) = (played.unwrap(), published.unwrap());
    assert_eq!(doors.inside().borrow().sessions, 1);
    doors.set_turn(Turn::Viewers(Duration::ZERO));
    assert!(timeout(LONG, played.revoked()).await.is_err());
    doors.set_turn(Turn::Everybodys(Duration::ZERO));
    played.revoked().await;
    published.revoked().await;
    drop((played, published, visit));
    assert!(doors.inside().borrow().is_empty());
}
