use std::{future::poll_fn, pin::pin, time::Duration};

use headwater_net::TokioEnvironment;
use tokio::time::timeout;

use super::*;

const LONG: Duration = Duration::from_secs(20);

fn at(sequence: u64) -> Position {
    Position { sequence, part: Some(0) }
}

/// Requests that note their numbers when they are answered past their tasks.
#[derive(Clone, Default)]
struct Answered(Arc<Mutex<Vec<u64>>>);

impl Answered {
    fn by(&self, number: u64, done: Let) -> Option<Answer> {
        let answered = self.clone();
        Some(Box::new(move || {
            answered.0.lock().push(number);
            done
        }))
    }

    async fn until(&self, count: usize) {
        let all = async {
            while self.0.lock().len() < count {
                tokio::task::yield_now().await;
            }
        };
        timeout(LONG, all).await.unwrap();
    }
}

#[tokio::test]
async fn those_whose_place_is_there_are_answered_in_the_order_in_which_they_came_and_no_others() {
    let (waiting, answered, environment) = (Waiting::default(), Answered::default(), TokioEnvironment::current());
    let enter = |number: u64, sequence| {
        waiting.enter(at(sequence), || false, answered.by(number, Let::Rest)).expect("it has to wait")
    };
    let places: Vec<_> = (0..500).map(|number| enter(number, number % 2)).collect();
    waiting.let_go(|position| position == at(1), &environment);
    answered.until(250).await;
    assert_eq!(*answered.0.lock(), (1..500).step_by(2).collect::<Vec<_>>());
    for (number, place) in (0_u64..).zip(places) {
        assert_eq!(place.give_up(), (number % 2 == 1).then_some(Let::Rest));
    }
    waiting.let_go(|_| true, &environment);
    assert!(waiting.0.lock().requests.is_empty(), "nothing is left of them");
    assert_eq!(answered.0.lock().len(), 250, "who has given up is not answered");
}

#[tokio::test]
async fn a_task_is_woken_if_it_has_something_to_do() {
    let (waiting, environment) = (Waiting::default(), TokioEnvironment::current());
    for (answer, expected) in [(None, Let::Go), (Answered::default().by(0, Let::Finish), Let::Finish)] {
        let place = waiting.enter(at(1), || false, answer).unwrap();
        let (done, ()) = tokio::join!(timeout(LONG, place), async {
            tokio::task::yield_now().await;
            waiting.let_go(|_| true, &environment);
        });
        assert_eq!(done.unwrap(), expected);
    }
    // One that is answered is not woken; it finds out when something else wakes it.
    let answered = Answered::default();
    let mut place = pin!(waiting.enter(at(1), || false, answered.by(7, Let::Rest)).unwrap());
    let mut polls = 0;
    let mut look = |cx: &mut Context<'_>| {
        polls += 1;
        Poll::Ready(place.as_mut().poll(cx))
    };
    assert_eq!(poll_fn(&mut look).await, Poll::Pending);
    waiting.let_go(|_| true, &environment);
    answered.until(1).await;
    assert_eq!(poll_fn(&mut look).await, Poll::Ready(Let::Rest));
}

#[tokio::test]
async fn what_is_there_is_not_waited_for_and_who_leaves_holds_nothing() {
    let (waiting, answered) = (Waiting::default(), Answered::default());
    assert!(waiting.enter(at(1), || true, None).is_none());
    let place = waiting.enter(at(1), || false, answered.by(1, Let::Rest));
    assert_eq!(Arc::strong_count(&answered.0), 2);
    drop(place);
    assert_eq!(Arc::strong_count(&answered.0), 1, "the answer, and with it the connection, is let go");
    assert!(waiting.0.lock().requests.is_empty());
}
