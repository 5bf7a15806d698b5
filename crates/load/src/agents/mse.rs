//! A viewer by MSE: fragmented MP4 over WebSocket, as `docs/reference/mse.md` has it.

use std::{cell::RefCell, time::Instant};

use headwater_media::TrackKind;
use headwater_mp4::{Movie, ReadError};
use headwater_net::Dialed;
use tokio_tungstenite::WebSocketStream;

use super::{
    Seat, movie,
    screen::Screen,
    websocket::{self, Heard},
};
use crate::{Failure, failure::Reason, worker::Worker};

/// Plays the stream until told to stop.
///
/// # Errors
/// Why it did not come about or did not stay.
pub(super) async fn play(seat: &Seat, worker: &Worker) -> Result<(), Failure> {
    websocket::play(seat, worker, receive).await
}

async fn receive(socket: &mut WebSocketStream<Dialed>, screen: &RefCell<Screen<'_>>) -> Result<(), Failure> {
    let wrong = |error: ReadError| Failure::new(Reason::Protocol, error);
    let (mut movie, mut comes_init): (Option<Movie>, bool) = (None, false);
    loop {
        let heard = websocket::hear(socket).await?;
        let (now, mut screen) = (Instant::now(), screen.borrow_mut());
        match heard {
            Heard::Text(message) => match message["type"].as_str() {
                Some("init") => {
                    screen.join();
                    comes_init = true;
                }
                Some("break") => screen.break_off(),
                _ => {}
            },
            Heard::Media(bytes) if comes_init => {
                let found = Movie::parse(&bytes).map_err(wrong)?;
                let picture = found.tracks().iter().find(|track| track.kind == Some(TrackKind::Video));
                picture.and_then(|track| track.parameters.clone()).into_iter().for_each(|it| screen.parameters(it));
                (movie, comes_init) = (Some(found), false);
            }
            Heard::Media(bytes) => {
                let Some(movie) = &movie else {
                    return Err(Failure::new(Reason::Protocol, "a fragment came before the init segment"));
                };
                screen.bytes(bytes.len());
                movie::show(movie, &bytes, &mut screen, now).map_err(wrong)?;
            }
        }
    }
}
