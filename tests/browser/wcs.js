// Runs in the page: what a page made with the WCS Web SDK does, one call after the other. Knows nothing of the wire.
window.wcs = (() => {
  const { SESSION_STATUS, STREAM_STATUS, STREAM_EVENT } = Flashphoner.constants;
  const sessions = {}, streams = {};
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));

  // As a visitor who is asked what to share takes the page itself: no other surface is there without a screen.
  const share = navigator.mediaDevices.getDisplayMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getDisplayMedia = (constraints) => share({ ...constraints, preferCurrentTab: true });

  async function until(what, condition, ms = 20000) {
    const end = Date.now() + ms;
    for (;;) {
      const found = condition();
      if (found) return found;
      if (Date.now() > end) throw new Error(`not within ${ms} ms: ${what()}`);
      await pause(20);
    }
  }

  // Opens a session and waits until it is taken or not.
  async function session(key, options) {
    const mine = (sessions[key] = { log: [], warnings: [], data: [] });
    mine.session = Flashphoner.createSession(options);
    for (const status of [SESSION_STATUS.CONNECTED, SESSION_STATUS.ESTABLISHED, SESSION_STATUS.DISCONNECTED, SESSION_STATUS.FAILED]) {
      mine.session.on(status, (_, told) => { mine.log.push(status); mine.told = told ?? mine.told; });
    }
    mine.session.on(SESSION_STATUS.WARN, (warning) => mine.warnings.push(warning));
    mine.session.on(SESSION_STATUS.APP_DATA, (data) => mine.data.push(data));
    const over = [SESSION_STATUS.ESTABLISHED, SESSION_STATUS.DISCONNECTED, SESSION_STATUS.FAILED];
    await until(() => `the session is taken: ${mine.log}`, () => mine.log.some((status) => over.includes(status)));
    return { log: mine.log, told: mine.told ?? null };
  }

  function stream(key, of, options, act) {
    const display = document.createElement("div");
    display.style = "width:320px;height:240px";
    document.body.append(display);
    const mine = (streams[key] = { log: [], events: [], display, changes: 0 });
    mine.stream = sessions[of].session.createStream({ display, ...options });
    for (const status of Object.values(STREAM_STATUS)) {
      mine.stream.on(status, (stream) => mine.log.push({ status, info: stream.getInfo?.() ?? null }));
    }
    mine.stream.on(STREAM_EVENT, (event) => mine.events.push({ type: event.type, payload: event.payload ?? null }));
    mine.stream[act]();
    return mine.stream.id();
  }

  const brush = Object.assign(document.createElement("canvas"), { width: 16, height: 12 }).getContext("2d", { willReadFrequently: true });

  function watch(mine) {
    const video = mine.display.querySelector("video");
    if (mine.watched === video || !video) return;
    mine.watched = video;
    let last = null;
    const step = () => {
      brush.drawImage(video, 0, 0, 16, 12);
      let sum = 0;
      for (const value of brush.getImageData(0, 0, 16, 12).data) sum = (sum * 31 + value) | 0;
      if (sum !== last) mine.changes++;
      last = sum;
      video.requestVideoFrameCallback(step);
    };
    video.requestVideoFrameCallback(step);
  }

  return {
    session,
    play: (key, of, options) => stream(key, of, options, "play"),
    publish: (key, of, options) => stream(key, of, options, "publish"),
    // Publishes a drawing that changes, as a page with a canvas does.
    publishCanvas(key, of, options) {
      const canvas = Object.assign(document.createElement("canvas"), { width: 640, height: 360 });
      const pen = canvas.getContext("2d");
      setInterval(() => {
        pen.fillStyle = `hsl(${performance.now() / 10} 90% 50%)`;
        pen.fillRect(0, 0, 640, 360);
      }, 33);
      return stream(key, of, { constraints: { audio: false, video: false, customStream: canvas.captureStream(30) }, ...options }, "publish");
    },
    snapshot: (key, of, options) => stream(key, of, options, "snapshot"),
    // Any method of a stream or session, such as stop, muteAudio, getInfo, disconnect.
    ask: (key, method, ...args) => streams[key].stream[method](...args) ?? null,
    askSession: (key, method, ...args) => sessions[key].session[method](...args) ?? null,
    sendData: (key, data) => sessions[key].session.sendData(data).then((told) => ({ accepted: told }), (told) => ({ failed: told })),
    available: (of, name) => {
      const asked = sessions[of].session.createStream({ name });
      return asked.available().then(() => "yes", (refused) => refused.getInfo());
    },
    // Waits until a stream has been told a status, and yields all that it was told.
    async status(key, wanted) {
      const mine = streams[key];
      const found = () => mine.log.some(({ status }) => status === wanted);
      await until(() => `${key} is ${wanted}, it is told ${JSON.stringify(mine.log)}`, found);
      return mine.log;
    },
    async event(key, type) {
      const mine = streams[key];
      const found = () => mine.events.find((event) => event.type === type);
      return until(() => `${key} is told ${type}, it is told ${JSON.stringify(mine.events)}`, found);
    },
    events: (key) => streams[key].events,
    warnings: (key) => sessions[key].warnings,
    async sessionStatus(key, wanted) {
      await until(() => `${key} is ${wanted}: ${sessions[key].log}`, () => sessions[key].log.includes(wanted));
      return sessions[key].log;
    },
    // Waits until the picture has changed so many times more.
    async motion(key, times) {
      const mine = streams[key];
      watch(mine);
      const goal = mine.changes + times;
      await until(() => `the picture of ${key} moves ${times} times, ${mine.changes} so far of ${goal}`, () => mine.changes >= goal);
      const video = mine.display.querySelector("video");
      return { width: video.videoWidth, height: video.videoHeight };
    },
    // Whether the picture stands still for so long.
    async stillness(key, ms) {
      const mine = streams[key], before = mine.changes;
      await pause(ms);
      return mine.changes - before;
    },
    // What a viewer of the clock has seen and heard within so many seconds.
    async seen(key, seconds) {
      const video = streams[key].display.querySelector("video"), context = new AudioContext();
      const sound = context.createMediaElementSource(video);
      sound.connect(context.destination);
      const seen = watchCanvas(video, sound);
      await pause(seconds * 1000);
      return { ...sumUp(seen), width: video.videoWidth, height: video.videoHeight };
    },
    stats: (key) => new Promise((done) => streams[key].stream.getStats((stats) => done(JSON.parse(JSON.stringify(stats))))),
    // The bits in a second at which the encoder of the picture aims: ten values of two seconds.
    async targets(key) {
      const targets = [];
      const look = (all) => targets.push(all["outbound-rtp"]?.find(({ kind }) => kind === "video")?.targetBitrate ?? 0);
      while (targets.length < 10) {
        streams[key].stream.getStats(look, true);
        await pause(200);
      }
      return targets;
    },
    // By what the media comes, once it does.
    async transport(key) {
      let found = null;
      const look = (all) => {
        const pair = all["candidate-pair"]?.find((pair) => pair.nominated && pair.state === "succeeded");
        found ??= all["remote-candidate"]?.find((candidate) => candidate.id === pair?.remoteCandidateId)?.protocol ?? null;
      };
      return until(() => `${key} has a way for its media`, () => { streams[key].stream.getStats(look, true); return found; });
    },
  };
})();
