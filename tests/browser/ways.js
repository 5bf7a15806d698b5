// Runs in the page, before all other scripts: publishes the camera and plays by each way that a page has, with the
// same calls, and tells what arrives. The ways: `session` (our SDK), `wcs` (the WCS Web SDK), `http` (WHIP and WHEP).
window.ways = (() => {
  const peers = [];
  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...args) {
      super(...args);
      peers.push(this);
    }
  };
  const codecs = ["H264", "VP8", "VP9", "AV1"];
  let end = async () => {};

  async function ours(options, act) {
    const sdk = await import("/assets/sdk/headwater.js");
    const session = sdk.createSession();
    const stream = session.createStream({ display: document.body, ...options });
    end = () => stream.stop();
    await stream[act]();
  }

  async function wcs(options, act, reached) {
    Flashphoner.init({});
    const session = Flashphoner.createSession({ urlServer: `${location.protocol.replace("http", "ws")}//${location.host}` });
    const told = (of, status) => new Promise((done, failed) => {
      of.on(status, done);
      of.on("FAILED", (of) => failed(new Error(of.getInfo?.() ?? "the session failed")));
    });
    await told(session, "ESTABLISHED");
    const stream = session.createStream({ display: document.body, ...options });
    const done = told(stream, reached);
    stream[act]();
    end = async () => {
      const stopped = told(stream, act === "publish" ? "UNPUBLISHED" : "STOPPED");
      stream.stop();
      await stopped;
      session.disconnect();
    };
    await done;
  }

  // The plain clients of sender.js and observe.js; what goes wrong they keep as `problem`.
  async function http(begun, state) {
    end = () => window.leave(true);
    await begun;
    const { problem } = await state();
    if (problem) throw new Error(problem);
    await until(() => `connected: ${peers.at(-1)?.connectionState}`, () => peers.at(-1)?.connectionState === "connected");
  }

  const publish = {
    session: (name, codec) => ours({ name, codecs: [codec] }, "publish"),
    wcs: (name, codec) => wcs({ name, stripCodecs: codecs.filter((other) => other !== codec).join() }, "publish", "PUBLISHING"),
    http: (name, codec) => http(window.publish({ whip: new URL(`/${name}/whip`, location).href, media: "camera", codec: `video/${codec}` }), window.published),
  };
  const play = {
    session: (name) => ours({ name }, "play"),
    wcs: (name) => wcs({ name }, "play", "PLAYING"),
    http: (name) => http(window.observe(new URL(`/${name}/whep`, location).href, {}), window.observed),
  };

  // Counts from now on how often the picture changes, and how light it is.
  function look() {
    const brush = Object.assign(document.createElement("canvas"), { width: 32, height: 18 }).getContext("2d", { willReadFrequently: true });
    const seen = { frames: 0, changes: 0, light: 0, width: 0, height: 0 };
    let last = null;
    const video = document.querySelector("video");
    const step = () => {
      brush.drawImage(video, 0, 0, 32, 18);
      const { data } = brush.getImageData(0, 0, 32, 18);
      let sum = 0, light = 0;
      for (const [index, value] of data.entries()) {
        sum = (sum * 31 + value) | 0;
        if (index % 4 < 3) light += value;
      }
      seen.frames++;
      if (sum !== last) seen.changes++;
      last = sum;
      seen.light = light / (3 * 32 * 18);
      [seen.width, seen.height] = [video.videoWidth, video.videoHeight];
      video.requestVideoFrameCallback(step);
    };
    video.requestVideoFrameCallback(step);
    return seen;
  }

  async function received() {
    const entries = await peers.at(-1).getStats();
    const of = (kind) => {
      const found = [...entries.values()].find((entry) => entry.type === "inbound-rtp" && entry.kind === kind) ?? {};
      const { framesDecoded: decoded, packetsReceived: packets } = found;
      return { codec: entries.get(found.codecId)?.mimeType, decoded, packets };
    };
    return { video: of("video"), audio: of("audio") };
  }

  return {
    publish: (way, name, codec) => publish[way](name, codec),
    play: (way, name) => play[way](name),
    // Waits until so many changing pictures were shown, and sound came meanwhile.
    async arrives(pictures) {
      await until("a video element", () => document.querySelector("video"));
      const seen = look();
      let told = {};
      await until(() => `pictures and sound: ${JSON.stringify({ seen, told })}`, async () => {
        told = await received();
        return seen.changes >= pictures && told.audio.packets > pictures;
      });
      return { ...seen, ...told };
    },
    stop: () => end(),
  };
})();
