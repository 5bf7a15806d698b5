use super::*;

#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Memory {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().clone()).unwrap()
    }

    fn make(&self) -> LineWriter<impl Fn() -> Memory + Clone + use<>> {
        let memory = self.clone();
        LineWriter::new(move || memory.clone(), LogFormat::Json)
    }
}

const HOSTILE: [&str; 7] = [
    "a\r\nERROR forged: line",
    "\u{1b}[2J\u{1b}[31mred",
    "\u{0}\u{7}\u{8}bell",
    "\u{2028}separator\u{202e}reversed",
    "\u{9b}31m",
    "quote\" and } brace",
    "ünïcode 漢字 🎥",
];

#[test]
fn hostile_text_stays_in_its_line() {
    for round in 0..1_500 {
        let text = HOSTILE.map(|part| part.chars().cycle().take(1 + round % 40).collect::<String>()).concat();
        for json in [false, true] {
            let memory = Memory::default();
            let builder = tracing_subscriber::fmt().with_writer(memory.make());
            let log = || {
                let span = tracing::info_span!("session", id = %text);
                span.in_scope(|| tracing::info!(user_agent = %text, debug = ?text, "{text}"));
            };
            match json {
                true => tracing::subscriber::with_default(builder.json().finish(), log),
                false => tracing::subscriber::with_default(builder.with_ansi(false).finish(), log),
            }
            let written = memory.text();
            assert_eq!(written.matches('\n').count(), 1, "{written:?}");
            assert!(written.ends_with('\n') && !written.trim_end_matches('\n').chars().any(char::is_control));
            if json {
                let line: serde_json::Value = serde_json::from_str(&written).unwrap();
                assert_eq!(line["fields"]["user_agent"].as_str(), Some(text.as_str()));
            }
        }
    }
}

#[test]
fn a_flood_is_cut_and_told() {
    let memory = Memory::default();
    let writer = memory.make();
    let now = Instant::now();
    let limit = limits::LOG_LINES_PER_SECOND.get();
    let admitted = (0..limit + 50).filter(|_| writer.admit(now).is_some()).count();
    assert_eq!(admitted as u64, limit);
    assert_eq!(writer.admit(now + std::time::Duration::from_secs(1)), Some(50));
    let mut line = Line { output: Some(memory.clone()), notes: left_out(LogFormat::Json, 50), is_folded: false };
    line.write_all(b"next\n").unwrap();
    assert!(memory.text().contains("50 log lines were left out") && memory.text().ends_with("next\n"));
}

#[test]
fn a_warning_that_repeats_is_written_once_and_then_counted() {
    let memory = Memory::default();
    let writer = memory.make();
    let subscriber = tracing_subscriber::fmt().json().with_writer(writer).finish();
    tracing::subscriber::with_default(subscriber, || {
        for number in 0..1_000 {
            tracing::warn!(number, "a back end is gone");
            if number % 100 == 0 {
                tracing::info!(number, "somebody has come");
            }
        }
    });
    let lines: Vec<serde_json::Value> = memory.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |message: &str| lines.iter().filter(|line| line["fields"]["message"] == message).count();
    assert_eq!((of("a back end is gone"), of("somebody has come")), (1, 10), "{lines:?}");
}

#[test]
fn what_was_folded_or_left_out_is_told_although_no_line_comes() {
    let warn = |times: u32| {
        for _ in 0..times {
            tracing::warn!("a back end is gone");
        }
    };
    let (memory, now) = (Memory::default(), Instant::now());
    let writer = memory.make();
    let subscriber = tracing_subscriber::fmt().json().with_writer(writer.clone()).finish();
    tracing::subscriber::with_default(subscriber, || warn(5));
    writer.tell_rest(now, false);
    assert_eq!(memory.text().lines().count(), 1, "it is not over yet");
    writer.tell_rest(now + fold::QUIET * 2, false);
    assert!(memory.text().contains("4 more lines") && memory.text().lines().count() == 2, "{}", memory.text());
    writer.tell_rest(now + fold::QUIET * 3, false);
    assert_eq!(memory.text().lines().count(), 2, "it is told once");
    let parts = memory.text().lines().map(|line| line.find("\"level\"")).collect::<Vec<_>>();
    assert!(parts[0].is_some() && parts[0] == parts[1], "{}", memory.text());

    let subscriber = tracing_subscriber::fmt().json().with_writer(writer.clone()).finish();
    tracing::subscriber::with_default(subscriber, || warn(3));
    while writer.admit(now).is_some() {}
    writer.tell_rest(now, true);
    let text = memory.text();
    assert!(text.contains("2 more lines") && text.contains("1 log lines were left out"), "{text}");
}

#[test]
fn what_was_folded_is_told_with_the_next_line_after_a_while() {
    let seen: Arc<Mutex<Vec<&'static Metadata<'static>>>> = Arc::default();
    let layer = Noting(seen.clone());
    tracing::subscriber::with_default(layer, || {
        tracing::warn!("one kind");
        tracing::error!("another kind");
        tracing::info!("news");
    });
    let seen = seen.lock().clone();
    let [one, another, news] = seen.as_slice() else { panic!("{seen:?}") };
    let (mut folder, begun) = (Folder::default(), Instant::now());
    for _ in 0..8 {
        folder.take(one, begun);
    }
    assert_eq!(folder.take(another, begun), (false, Vec::new()), "kinds are apart");
    let before = begun + fold::QUIET - std::time::Duration::from_millis(1);
    assert_eq!(folder.take(one, before), (true, Vec::new()));
    let (is_folded, told) = folder.take(news, begun + fold::QUIET);
    assert_eq!((is_folded, told.len(), told[0].lines), (false, 1, 8), "{told:?}");
    assert!(told[0].place.contains("log/tests.rs:"), "{told:?}");
    assert_eq!(folder.take(one, begun + fold::QUIET), (false, Vec::new()), "it begins anew");
    for format in [LogFormat::Text, LogFormat::Json] {
        let line = super::told(format, &told[0]);
        assert!(line.contains("8 more lines") && line.ends_with('\n'), "{line}");
    }
}

/// Notes where events come from.
struct Noting(Arc<Mutex<Vec<&'static Metadata<'static>>>>);

impl tracing::Subscriber for Noting {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        self.0.lock().push(event.metadata());
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}
