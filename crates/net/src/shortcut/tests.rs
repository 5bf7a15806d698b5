use std::time::Duration;

use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::*;
use crate::{Listener, Quota};

const MARK: &[u8] = b"\r\n\r\n";
const LONG: Duration = Duration::from_secs(20);

/// A connection over loopback: its peer, and this end of it.
async fn connect() -> (TcpStream, Conversation) {
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), &Quota::connections()).unwrap();
    let address = listener.local_address().unwrap();
    let (peer, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
    (peer.unwrap(), Conversation::new(accepted, MARK))
}

async fn read(peer: &mut TcpStream, length: usize) -> Vec<u8> {
    let mut read = vec![0; length];
    timeout(LONG, peer.read_exact(&mut read)).await.unwrap().unwrap();
    read
}

/// Lets a conversation read all that has come, so that it listens.
async fn listen(conversation: &mut Conversation) {
    let pending = timeout(Duration::from_millis(1), conversation.read_u8()).await;
    assert!(pending.is_err(), "the peer has said nothing");
}

#[tokio::test]
async fn what_is_said_instead_of_a_written_answer_is_thrown_away_up_to_its_mark() {
    // However what is said is cut into pieces.
    for pieces in [1, 2, 3, 5, 100] {
        let (mut peer, mut conversation) = connect().await;
        let shortcut = conversation.shortcut();
        listen(&mut conversation).await;
        assert_eq!(shortcut.answer(&Bytes::from_static(b"answer")), Passed::Done);
        let said = b"HTTP/1.1 200 OK\r\nx: \r\r\n\r\nnext";
        for piece in said.chunks(said.len().div_ceil(pieces)) {
            conversation.write_all(piece).await.unwrap();
        }
        conversation.flush().await.unwrap();
        assert_eq!(read(&mut peer, 10).await, b"answernext", "in {pieces} pieces");
    }
}

#[tokio::test]
async fn a_conversation_writes_what_the_kernel_did_not_take() {
    let (mut peer, mut conversation) = connect().await;
    let shortcut = conversation.shortcut();
    listen(&mut conversation).await;
    let answer: Bytes = (0..32_u32 << 20).map(|at| (at % 251) as u8).collect::<Vec<_>>().into();
    assert_eq!(shortcut.answer(&answer), Passed::Wake, "so much is never taken at once");
    assert!(!shortcut.is_clear(), "nothing may be written before the rest");
    let talk = async {
        conversation.write_all(b"instead\r\n\r\n").await.unwrap();
        conversation.write_all(b"next").await.unwrap();
        conversation.flush().await.unwrap();
    };
    let (came, ()) = tokio::join!(read(&mut peer, answer.len() + 4), talk);
    assert!(came.get(..answer.len()) == Some(&answer[..]), "the answer comes whole and once");
    assert_eq!(came.get(answer.len()..), Some(&b"next"[..]));
    assert!(shortcut.is_clear());
}

#[tokio::test]
async fn a_peer_that_takes_nothing_is_left_to_its_conversation() {
    let (mut peer, conversation) = connect().await;
    let (shortcut, chunk) = (conversation.shortcut(), vec![b'x'; 1 << 16]);
    let mut filled = 0;
    while let Ok(taken) = conversation.line.write.try_write(&chunk) {
        filled += taken;
    }
    let passed = shortcut.answer(&Bytes::from_static(b"answer"));
    assert_eq!(passed, Passed::Nothing);
    drop((conversation, shortcut));
    let mut rest = Vec::new();
    timeout(LONG, peer.read_to_end(&mut rest)).await.unwrap().unwrap();
    assert_eq!(rest.len(), filled, "nothing is written of it");
}

#[tokio::test]
async fn a_conversation_that_has_something_to_read_is_to_be_woken() {
    let (mut peer, mut conversation) = connect().await;
    let shortcut = conversation.shortcut();
    assert_eq!(shortcut.answer(&Bytes::from_static(b"1")), Passed::Wake, "it may have more than it was asked to read");
    conversation.write_all(MARK).await.unwrap();
    listen(&mut conversation).await;
    assert_eq!(shortcut.answer(&Bytes::from_static(b"2")), Passed::Done);
    conversation.write_all(MARK).await.unwrap();
    peer.write_all(b"?").await.unwrap();
    assert_eq!(timeout(LONG, conversation.read_u8()).await.unwrap().unwrap(), b'?');
    assert_eq!(shortcut.answer(&Bytes::from_static(b"3")), Passed::Wake);
    assert_eq!(read(&mut peer, 3).await, b"123");
}

#[tokio::test]
async fn it_is_clear_when_all_that_was_said_is_with_the_kernel() {
    let (_peer, mut conversation) = connect().await;
    let shortcut = conversation.shortcut();
    assert!(shortcut.is_clear());
    conversation.write_all(b"half").await.unwrap();
    assert!(!shortcut.is_clear(), "it has not said that this is all");
    conversation.flush().await.unwrap();
    assert!(shortcut.is_clear());
}
