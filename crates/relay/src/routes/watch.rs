//! Waiting for what happens to one stream and to one server, whatever happens to all others.

use std::{future::pending, time::Duration};

use headwater_media::StreamName;
use tokio::{sync::watch, time::timeout};

use super::Routes;

/// Waits until a stream is not to be had any more from where it comes, and says why.
pub(super) async fn lost(routes: &dyn Routes, server: &str, stream: &StreamName) -> String {
    let (mut place, mut life) = (routes.follow_stream(stream), routes.follow_server(server));
    loop {
        if !routes.is_alive(server) {
            return format!("the server {server} cannot be reached any more");
        }
        let found = routes.find(stream);
        if !found.is_empty() && found.iter().all(|route| route.server != server) {
            return format!("the stream has moved away from the server {server}");
        }
        tokio::select! {
            () = next(&mut place) => {}
            () = next(&mut life) => {}
        }
    }
}

/// Waits until some server has a stream, for so long at most. Says whether one has.
pub(super) async fn appears(routes: &dyn Routes, stream: &StreamName, time: Duration) -> bool {
    let mut place = routes.follow_stream(stream);
    let appears = async {
        while routes.find(stream).is_empty() {
            next(&mut place).await;
        }
    };
    timeout(time, appears).await.is_ok()
}

/// Waits for the next change; for ever, where nobody tells of changes any more.
pub(super) async fn next(changes: &mut watch::Receiver<u64>) {
    if changes.changed().await.is_err() {
        pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::HashMap,
        sync::{
            Arc,
            atomic::{AtomicU64, Ordering::Relaxed},
        },
    };

    use parking_lot::Mutex;

    use super::*;
    use crate::Route;

    /// Servers that have all streams, and count how often they are looked for.
    #[derive(Default)]
    struct Servers {
        streams: Mutex<HashMap<StreamName, (String, watch::Sender<u64>)>>,
        lives: Mutex<HashMap<String, (bool, watch::Sender<u64>)>>,
        looks: AtomicU64,
    }

    impl Servers {
        fn place(&self, stream: &StreamName, server: &str) {
            let mut streams = self.streams.lock();
            let (at, changes) = streams.entry(stream.clone()).or_default();
            server.clone_into(at);
            changes.send_modify(|count| *count += 1);
        }

        fn set_alive(&self, server: &str, is_alive: bool) {
            let mut lives = self.lives.lock();
            let (lives, changes) = lives.entry(server.to_owned()).or_default();
            *lives = is_alive;
            changes.send_modify(|count| *count += 1);
        }
    }

    impl Routes for Servers {
        fn find(&self, stream: &StreamName) -> Vec<Route> {
            self.looks.fetch_add(1, Relaxed);
            let streams = self.streams.lock();
            let at = streams.get(stream).map(|(at, _)| at.clone()).filter(|at| !at.is_empty()).into_iter();
            at.map(|server| Route { server, url: "ws://127.0.0.1:1".into() }).collect()
        }

        fn is_alive(&self, server: &str) -> bool {
            self.lives.lock().get(server).is_some_and(|(is_alive, _)| *is_alive)
        }

        fn follow_stream(&self, stream: &StreamName) -> watch::Receiver<u64> {
            self.streams.lock().entry(stream.clone()).or_default().1.subscribe()
        }

        fn follow_server(&self, server: &str) -> watch::Receiver<u64> {
            self.lives.lock().entry(server.to_owned()).or_default().1.subscribe()
        }

        fn proof(&self) -> String {
            String::new()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn of_thousands_that_are_fetched_a_change_costs_one_look() {
        let servers = Arc::new(Servers::default());
        let names: Vec<_> = (0..5_000).map(|number| StreamName::new(&format!("camera-{number}")).unwrap()).collect();
        for (number, name) in names.iter().enumerate() {
            servers.place(name, if number < 10 { "few" } else { "many" });
        }
        ["few", "many", "other"].iter().for_each(|server| servers.set_alive(server, true));
        let mut pulls = tokio::task::JoinSet::new();
        for (number, name) in names.iter().cloned().enumerate() {
            let servers = servers.clone();
            let from = if number < 10 { "few" } else { "many" };
            pulls.spawn(async move { lost(&*servers, from, &name).await });
        }
        let settle = || tokio::time::sleep(Duration::from_millis(1));
        settle().await;
        assert_eq!(servers.looks.swap(0, Relaxed), 5_000);

        servers.place(&names[4_000], "other");
        assert!(pulls.join_next().await.unwrap().unwrap().contains("moved away from the server many"));
        servers.place(&names[4_001], "many");
        servers.place(&StreamName::new("of-nobody").unwrap(), "many");
        servers.set_alive("other", false);
        settle().await;
        assert_eq!(servers.looks.swap(0, Relaxed), 2, "one for each stream that has changed");

        servers.set_alive("few", false);
        for _ in 0..10 {
            assert!(pulls.join_next().await.unwrap().unwrap().contains("few cannot be reached"));
        }
        settle().await;
        assert_eq!((servers.looks.load(Relaxed), pulls.len()), (0, 4_989));
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_that_appears_late_is_found_as_soon_as_it_does() {
        let servers = Arc::new(Servers::default());
        let (name, wait) = (StreamName::new("camera").unwrap(), Duration::from_millis(600));
        assert!(!appears(&*servers, &name, wait).await);
        let begun = tokio::time::Instant::now();
        let (later, told) = (servers.clone(), name.clone());
        let waits = tokio::spawn(async move { appears(&*servers, &name, wait).await });
        tokio::time::sleep(Duration::from_millis(100)).await;
        later.place(&told, "a");
        assert!(waits.await.unwrap());
        assert!(begun.elapsed() < Duration::from_millis(110), "{:?}", begun.elapsed());
    }
}
