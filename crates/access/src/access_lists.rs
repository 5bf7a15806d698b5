//! Streams that only those may watch who have one of their keys. A stream without a list is open to everybody.

use std::{collections::HashMap, fmt, sync::Arc};

use aws_lc_rs::constant_time;
use headwater_graph::BoxFuture;
use headwater_media::StreamName;
use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

use crate::{
    asking::{Action, Asking, Client, Credentials},
    gate::{Gate, Pass, Ticket, Visitor},
    refused::{Refused, Why},
    secret::Secret,
};

/// What a viewer without a key is told, which begins with the words of WCS.
const SENTENCE: &str = "Restricted access: the stream needs a key from those who share it";

/// The lists of all streams: a gate. Cloning is cheap.
///
/// Who plays needs a key, which comes as a parameter of the address, as `custom` of the session or of the stream, or
/// from the application: by what a hook puts in place of `custom`. A list that changes ends those who lack a key of it.
#[derive(Clone, Default)]
pub struct AccessLists(Arc<Inner>);

#[derive(Default)]
struct Inner {
    parameter: RwLock<Arc<str>>,
    /// Those that hold keys, and those of streams that somebody watches.
    lists: Mutex<HashMap<StreamName, watch::Sender<Keys>>>,
}

type Keys = Arc<[Secret]>;

impl fmt::Debug for AccessLists {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessLists").field("count", &self.0.lists.lock().len()).finish()
    }
}

impl AccessLists {
    /// Keys are looked for in the parameter of this name from now on. Those who watch are not asked again.
    pub fn set_parameter(&self, name: &str) {
        *self.0.parameter.write() = name.into();
    }

    /// The name of the parameter that keys are looked for in.
    pub fn parameter(&self) -> Arc<str> {
        self.0.parameter.read().clone()
    }

    /// A stream has these keys from now on; with none it is open. Whoever watches it without one of them is ended.
    pub fn set(&self, stream: &StreamName, keys: impl IntoIterator<Item = Secret>) {
        let keys: Keys = keys.into_iter().collect();
        let mut lists = self.0.lists.lock();
        match lists.get(stream) {
            Some(list) => {
                list.send_if_modified(|known| {
                    let is_new = *known != keys;
                    *known = keys;
                    is_new
                });
            }
            None => {
                lists.insert(stream.clone(), watch::Sender::new(keys));
            }
        }
        forget_unused(&mut lists, stream, 0);
    }

    /// The keys of a stream; none of one that is open.
    pub fn get(&self, stream: &StreamName) -> Arc<[Secret]> {
        self.0.lists.lock().get(stream).map(|list| list.borrow().clone()).unwrap_or_default()
    }

    /// The streams that have keys.
    pub fn streams(&self) -> Vec<StreamName> {
        let lists = self.0.lists.lock();
        lists.iter().filter(|(_, list)| !list.borrow().is_empty()).map(|(stream, _)| stream.clone()).collect()
    }

    fn follow(&self, stream: &StreamName) -> watch::Receiver<Keys> {
        let mut lists = self.0.lists.lock();
        lists.entry(stream.clone()).or_insert_with(|| watch::Sender::new(Keys::default())).subscribe()
    }

    fn shown(&self, credentials: &Credentials) -> Option<Secret> {
        credentials.parameter(&self.0.parameter.read()).cloned()
    }
}

/// Forgets a list without keys that nobody follows but so many.
fn forget_unused(lists: &mut HashMap<StreamName, watch::Sender<Keys>>, stream: &StreamName, followers: usize) {
    let unused = |list: &watch::Sender<Keys>| list.borrow().is_empty() && list.receiver_count() <= followers;
    if lists.get(stream).is_some_and(unused) {
        lists.remove(stream);
    }
}

impl Gate for AccessLists {
    fn connect<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<Box<dyn Visitor>, Refused>> {
        let visitor = Box::new(Bearer { lists: self.clone(), key: self.shown(&client.credentials) });
        Box::pin(std::future::ready(Ok(visitor as Box<dyn Visitor>)))
    }
}

/// A client, and the key that it has connected with.
struct Bearer {
    lists: AccessLists,
    key: Option<Secret>,
}

impl Bearer {
    /// What came with the wish counts before what came with the connection, and what a hook says before both.
    fn key(&self, asking: &Asking) -> Option<Secret> {
        let told = || {
            let value = asking.facts.get("custom")?.get(&**self.lists.0.parameter.read())?;
            Some(Secret::new(value.as_str()?))
        };
        told().or_else(|| self.lists.shown(&asking.credentials)).or_else(|| self.key.clone())
    }
}

impl Visitor for Bearer {
    fn admit<'a>(&'a self, asking: &'a Asking) -> BoxFuture<'a, Result<Ticket, Refused>> {
        let admitted = match asking.action {
            Action::Publish => Ok(Ticket::plain()),
            Action::Play => {
                let watching = Watching {
                    keys: self.lists.follow(&asking.stream),
                    lists: self.lists.clone(),
                    stream: asking.stream.clone(),
                    key: self.key(asking),
                };
                watching.check().map(|()| Ticket { pass: Box::new(watching), ..Ticket::plain() })
            }
        };
        Box::pin(std::future::ready(admitted))
    }
}

/// A viewer and its key.
struct Watching {
    lists: AccessLists,
    stream: StreamName,
    key: Option<Secret>,
    keys: watch::Receiver<Keys>,
}

impl Watching {
    fn check(&self) -> Result<(), Refused> {
        let keys = self.keys.borrow();
        let fits = || self.key.as_ref().is_some_and(|key| keys.iter().any(|listed| same(listed, key)));
        // Not as unknown: browsers would ask people for a name and a password, which are of no use here.
        if keys.is_empty() || fits() { Ok(()) } else { Err(Refused::new(Why::Forbidden, SENTENCE)) }
    }
}

/// How alike two keys are shows by no difference of time; how long they are may.
fn same(one: &Secret, other: &Secret) -> bool {
    constant_time::verify_slices_are_equal(one.reveal().as_bytes(), other.reveal().as_bytes()).is_ok()
}

impl Pass for Watching {
    fn revoked(&self) -> BoxFuture<'_, Refused> {
        let mut keys = self.keys.clone();
        Box::pin(async move {
            loop {
                keys.borrow_and_update();
                if let Err(refused) = self.check() {
                    return refused;
                }
                if keys.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        })
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        forget_unused(&mut self.lists.0.lists.lock(), &self.stream, 1);
    }
}

#[cfg(test)]
mod tests;
