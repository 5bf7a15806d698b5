//! What a hostile publisher, or someone between it and the server, does to its session.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use headwater_media::Codec;
use headwater_webrtc::{Ended, PublishOptions};

use crate::{
    publisher::{hub, name},
    sender::{Plan, Sender, frame, reader},
    viewer::server,
};

#[tokio::test(flavor = "multi_thread")]
async fn attack_w3_a_publisher_without_the_certificate_of_its_offer_is_ended_unheard() {
    let (hub, server) = (hub(), server());
    let other = |offer: String| {
        let line = offer.lines().find(|line| line.starts_with("a=fingerprint:")).unwrap().to_owned();
        let (kept, last) = line.split_at(line.len() - 2);
        let bent = u8::from_str_radix(last, 16).unwrap() ^ 1;
        offer.replace(&line, &format!("{kept}{bent:02X}"))
    };
    let options = PublishOptions::default();
    let mut sender = Sender::publish_saying(&hub, &server, Plan::default(), options, other).await.unwrap();
    let session = sender.accepted.session.clone();
    sender.run_until("the end of the session", |_| session.has_ended().is_some()).await;
    let ended = session.has_ended().unwrap();
    assert!(matches!(&ended, Ended::Failed(reason) if reason.contains("ingerprint")), "{ended:?}");
    assert!(hub.find(&name()).is_none(), "and nothing waits for it to come back");
    let statistics = server.statistics()[0];
    assert_eq!((statistics.packets_received, statistics.sessions, statistics.bugs, server.pending()), (0, 0, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_w4_records_in_the_clear_change_nothing_once_a_publisher_has_keys() {
    let (hub, server) = (hub(), server());
    let mut sender = Sender::publish(&hub, &server, Plan::default()).await;
    let mut reader = reader(&hub, &mut sender).await;
    for kind in 20..=63 {
        for length in [1, 13, 14, 40, 200, 1_400] {
            for epoch in [0, 1, 2] {
                let mut record = vec![0xff; length];
                for (byte, value) in record.iter_mut().zip([kind, 254, 253, 0, epoch]) {
                    *byte = value;
                }
                // The length that a record of this size has, so that its content is looked at.
                if let Some(field) = record.get_mut(11..13) {
                    field.copy_from_slice(&(length as u16 - 13).to_be_bytes());
                }
                sender.send_raw(&record).await;
            }
        }
        sender.run_for(Duration::from_millis(1)).await;
    }
    let before = reader.read();
    sender.run_until("video after it", |_| reader.read() >= before + 100).await;
    assert_eq!(sender.accepted.session.has_ended(), None);
    assert_eq!(server.statistics()[0].bugs, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_w6_packets_that_are_replayed_or_forged_are_not_taken_and_end_nothing() {
    let (hub, server) = (hub(), server());
    let mut sender = Sender::publish(&hub, &server, Plan::default()).await;
    let mut reader = reader(&hub, &mut sender).await;
    let sent = Arc::new(Mutex::new(Vec::new()));
    sender.loses = Box::new({
        let sent = sent.clone();
        move |datagram| {
            sent.lock().unwrap().push(datagram.to_vec());
            false
        }
    });
    sender.run_until("200 packets", |_| reader.read() >= 200).await;
    sender.loses = Box::new(|_| false);
    let sent = std::mem::take(&mut *sent.lock().unwrap());
    for (number, datagram) in sent.iter().enumerate() {
        sender.send_raw(datagram).await;
        let mut forged = datagram.clone();
        let byte = number % forged.len();
        // A source of its own would be another attack.
        forged[if (8..12).contains(&byte) { 12 } else { byte }] ^= 1;
        sender.send_raw(&forged).await;
        if number % 20 == 0 {
            sender.run_for(Duration::from_millis(2)).await;
        }
    }
    let before = reader.read();
    sender.run_until("video after it", |_| reader.read() >= before + 100).await;
    assert_eq!(sender.accepted.session.has_ended(), None);
    assert_eq!(reader.discontinuities, 0);
    for pair in reader.pictures.windows(2) {
        assert_eq!(pair[1].sequence, pair[0].sequence + 1, "each once and in order");
        let (one, next) = (frame(&pair[0], Codec::H264), frame(&pair[1], Codec::H264));
        assert!(next == one + i64::from(pair[0].marker), "{one} {next}");
    }
    assert_eq!(server.statistics()[0].bugs, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_w15_a_source_that_two_sections_claim_harms_nobody() {
    let (hub, server) = (hub(), server());
    let claim = |offer: String| {
        let mut sections: Vec<String> = offer.split("m=").map(str::to_owned).collect();
        let claims = "a=ssrc:77 cname:x\r\na=ssrc-group:FID 77 77\r\n";
        sections.iter_mut().skip(1).for_each(|section| section.push_str(claims));
        sections.join("m=")
    };
    let options = PublishOptions::default();
    match Sender::publish_saying(&hub, &server, Plan::default(), options, claim).await {
        Ok(mut sender) => {
            let mut reader = reader(&hub, &mut sender).await;
            for _ in 0..100 {
                let mut datagram = vec![0x80, 111, 0, 1, 0, 0, 0, 0, 0, 0, 0, 77];
                datagram.resize(60, 7);
                sender.send_raw(&datagram).await;
            }
            sender.run_until("video all the same", |_| reader.read() >= 100).await;
        }
        Err(refused) => assert!(!refused.to_string().is_empty()),
    }
    assert_eq!(server.statistics()[0].bugs, 0);
}
