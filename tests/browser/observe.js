// Runs in the page: plays (or finds) the stream and measures what a viewer would see and hear.
(() => {
  const BLOCKS = 20; // white, black, sixteen of Gray code, black, white
  const TONE = 500; // the steady tone, in hertz
  const BEEP = 2000; // once a second, together with the flash
  const seen = {
    frames: 0, unreadable: 0, backwards: 0, changes: 0, latencies: [], flashes: [], beeps: [],
    tone: 0, rms: 0, soundBlocks: 0, silentBlocks: 0, longestPause: 0, problem: null, state: null, answer: null,
  };
  let video, peer, location_, lastClock = null, lastSum = null, lastLit = true, lastFrame = null;

  // The worklet measures in blocks of 256 samples how much of the sound is tone and how much is beep.
  const worklet = `registerProcessor("ear", class extends AudioWorkletProcessor {
    constructor() { super(); this.block = new Float32Array(256); this.fill = 0; this.loud = false; this.quiet = 99; this.sum = this.fresh(); }
    fresh() { return { blocks: 0, silent: 0, energy: 0, steady: 0, tone: 0 }; }
    goertzel(hertz) {
      const w = 2 * Math.cos(2 * Math.PI * hertz / sampleRate); let a = 0, b = 0;
      for (const x of this.block) { const c = x + w * a - b; b = a; a = c; }
      return (a * a + b * b - w * a * b) * 2 / (256 * 256);
    }
    listen(end) {
      let energy = 0; for (const x of this.block) energy += x * x; energy /= 256;
      const tone = this.goertzel(${TONE}), beep = this.goertzel(${BEEP});
      this.sum.blocks++; this.sum.energy += energy;
      if (beep < 1e-4) { this.sum.steady += energy; this.sum.tone += tone; }
      if (energy < 1e-7) this.sum.silent++;
      const loud = beep > 5e-4;
      if (loud && !this.loud && this.quiet > 20) this.port.postMessage({ beep: end - 256 / sampleRate });
      this.quiet = loud ? 0 : this.quiet + 1; this.loud = loud;
      if (this.sum.blocks === 94) { this.port.postMessage({ sum: this.sum }); this.sum = this.fresh(); }
    }
    process(inputs) {
      const left = inputs[0][0];
      if (left) for (let i = 0; i < left.length; i++) {
        this.block[this.fill++] = left[i];
        if (this.fill === 256) { this.fill = 0; this.listen(currentTime + (i + 1) / sampleRate); }
      }
      return true;
    }
  });`;

  async function listen(stream) {
    const tones = []; // of the last half seconds, without the blocks in which it beeped
    const context = new AudioContext({ sampleRate: 48000 });
    await context.audioWorklet.addModule(URL.createObjectURL(new Blob([worklet], { type: "text/javascript" })));
    const ear = new AudioWorkletNode(context, "ear");
    context.createMediaStreamSource(stream).connect(ear);
    ear.connect(context.destination);
    ear.port.onmessage = ({ data }) => {
      if (data.beep !== undefined) seen.beeps.push(performance.now() - (context.currentTime - data.beep) * 1000);
      if (data.sum) {
        seen.soundBlocks += data.sum.blocks;
        seen.silentBlocks += data.sum.silent;
        seen.rms = Math.sqrt(data.sum.energy / data.sum.blocks);
        if (data.sum.steady > 0) tones.push(data.sum.tone / data.sum.steady);
        if (tones.length > 8) tones.shift();
        seen.tone = [...tones].sort((a, b) => a - b)[tones.length >> 1] ?? 0;
      }
    };
  }

  const canvas = document.createElement("canvas");
  canvas.width = BLOCKS;
  canvas.height = 17;
  const brush = canvas.getContext("2d", { willReadFrequently: true });

  // Strip at the top, flash at the bottom right, and a coarse copy of the whole picture to see that it moves.
  function look(now) {
    const w = video.videoWidth, h = video.videoHeight, block = Math.floor(w / BLOCKS), strip = Math.floor(h / 18);
    brush.drawImage(video, 0, strip * 0.25, block * BLOCKS, strip * 0.5, 0, 0, BLOCKS, 1);
    brush.drawImage(video, w * 0.8, h * 0.8, w * 0.15, h * 0.15, 0, 1, 1, 1);
    brush.drawImage(video, 0, strip * 2, w, h - strip * 2, 0, 2, BLOCKS, 15);
    const pixels = brush.getImageData(0, 0, BLOCKS, 17).data;
    const light = (i) => (pixels[4 * i] + pixels[4 * i + 1] + pixels[4 * i + 2]) / 3;
    readClock(light);
    const lit = light(BLOCKS) > 128;
    if (lit && !lastLit) seen.flashes.push(now);
    lastLit = lit;
    let sum = 0;
    for (let i = 2 * BLOCKS; i < 17 * BLOCKS; i++) sum = (sum * 31 + pixels[4 * i + 1]) | 0;
    if (sum !== lastSum) seen.changes++;
    lastSum = sum;
  }

  function readClock(light) {
    const sure = (i) => light(i) < 70 || light(i) > 185;
    const bits = [...Array(BLOCKS).keys()];
    const stands = [0, 1, 18, 19].every((i) => (light(i) > 128) === (i === 0 || i === 19));
    if (!bits.every(sure) || !stands) { seen.unreadable++; return; }
    let bit = 0, clock = 0;
    for (let i = 2; i < 18; i++) { bit ^= light(i) > 128 ? 1 : 0; clock = clock * 2 + bit; }
    seen.latencies.push(((Date.now() - clock) % 65536 + 65536) % 65536);
    if (lastClock !== null && ((clock - lastClock) % 65536 + 65536) % 65536 > 32768) seen.backwards++;
    lastClock = clock;
  }

  function watchFrames() {
    const step = (now) => {
      seen.frames++;
      const real = performance.now();
      if (lastFrame !== null) seen.longestPause = Math.max(seen.longestPause, real - lastFrame);
      lastFrame = real;
      look(real);
      video.requestVideoFrameCallback(step);
    };
    video.requestVideoFrameCallback(step);
  }

  async function play(whep, { onlyTcp, via }) {
    video = document.createElement("video");
    video.autoplay = video.muted = video.playsInline = true;
    video.style = "position:fixed;inset:0;width:640px;height:360px";
    document.body.append(video);
    peer = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
    const stream = new MediaStream();
    peer.addTransceiver("video", { direction: "recvonly" });
    peer.addTransceiver("audio", { direction: "recvonly" });
    peer.ontrack = ({ track }) => {
      stream.addTrack(track);
      video.srcObject = stream;
      if (track.kind === "audio") listen(new MediaStream([track]));
    };
    peer.onconnectionstatechange = () => { seen.state = peer.connectionState; };
    await peer.setLocalDescription();
    const reply = await fetch(whep, {
      method: "POST", headers: { "Content-Type": "application/sdp" }, body: peer.localDescription.sdp,
    });
    let text = await reply.text();
    seen.answer = { status: reply.status, text, location: reply.headers.get("Location"), etag: reply.headers.get("ETag") };
    if (reply.status !== 201) { seen.problem = `${reply.status}: ${text.slice(0, 300)}`; return; }
    location_ = new URL(reply.headers.get("Location"), whep).href;
    if (onlyTcp) text = text.split("\r\n").filter((line) => !/^a=candidate:.* udp /i.test(line)).join("\r\n");
    if (via) text = elsewhere(text, via);
    await peer.setRemoteDescription({ type: "answer", sdp: text });
  }

  // The server's UDP candidates at another address, as if that were the way to it, and none over TCP (RFC 8839 section 5.1).
  function elsewhere(sdp, via) {
    const [host, port] = via.split(":");
    const lines = sdp.split("\r\n").filter((line) => !/^a=candidate:.* tcp /i.test(line));
    return lines.map((line) => line.replace(/^(a=candidate:\S+ \d+ udp \d+) \S+ \d+/i, `$1 ${host} ${port}`)).join("\r\n");
  }

  async function find() {
    for (let tries = 0; tries < 100 && !video; tries++) {
      video = document.querySelector("video");
      if (!video) await new Promise((done) => setTimeout(done, 100));
    }
    for (let tries = 0; tries < 100 && video && !video.srcObject; tries++) await new Promise((done) => setTimeout(done, 100));
    const sound = video?.srcObject?.getAudioTracks?.() ?? [];
    if (sound.length > 0) listen(new MediaStream([sound[0]]));
  }

  async function statistics() {
    if (!peer) return null;
    const found = {};
    for (const entry of (await peer.getStats()).values()) {
      if (entry.type === "inbound-rtp") found[entry.kind] = entry;
      if (entry.type === "codec") found[entry.mimeType] = entry.sdpFmtpLine ?? "";
      if (entry.type === "candidate-pair" && entry.nominated) found.pair = entry;
      if (entry.type === "remote-candidate") (found.candidates ??= {})[entry.id] = entry.protocol;
    }
    found.transport = found.candidates?.[found.pair?.remoteCandidateId];
    return found;
  }

  window.observe = async (whep, way) => {
    try {
      await (whep ? play(whep, way) : find());
      if (video) watchFrames();
      else if (!seen.problem) seen.problem = "there is no video element in the page";
    } catch (error) {
      seen.problem = String(error);
    }
  };
  window.observed = async () => ({
    ...seen, latencies: seen.latencies.splice(0), flashes: seen.flashes.slice(), beeps: seen.beeps.slice(),
    width: video?.videoWidth ?? 0, height: video?.videoHeight ?? 0, time: performance.now(), statistics: await statistics(),
  });
  window.forget = () => { seen.longestPause = 0; };
  window.leave = async () => {
    if (location_) await fetch(location_, { method: "DELETE" });
    peer?.close();
  };
})();
