// Runs in the page: publishes by WHIP with a few lines of client code of the test's own.
(() => {
  const BLOCKS = 20; // as observe.js reads them: white, black, sixteen of Gray code, black, white
  const seen = { problem: null, state: null, answer: null };
  let peer, location_;

  // A picture with the time in its top strip and a flash each second.
  // A busy one is full of noise, so that its encoder spends all that the network is thought to carry.
  function clock(rids, busy) {
    const canvas = document.createElement("canvas");
    // Chromium sends three sizes of a picture from this size on, and two of a smaller one.
    [canvas.width, canvas.height] = rids ? [960, 540] : [640, 360];
    document.body.append(canvas);
    const brush = canvas.getContext("2d");
    const block = canvas.width / BLOCKS, strip = canvas.height / 18;
    const draw = () => {
      const now = Date.now(), value = now % 65536, gray = value ^ (value >> 1);
      brush.fillStyle = `hsl(${(now / 20) % 360} 60% 40%)`;
      brush.fillRect(0, strip, canvas.width, canvas.height);
      brush.fillStyle = "#888";
      brush.fillRect((now / 5) % canvas.width, canvas.height / 3, 60, 60);
      for (let i = 0; busy && i < 400; i++) {
        brush.fillStyle = `hsl(${Math.random() * 360} 60% 40%)`;
        brush.fillRect(Math.random() * canvas.width, strip + Math.random() * canvas.height, 40, 40);
      }
      for (let i = 0; i < BLOCKS; i++) {
        const lit = i === 0 || i === 19 || (i > 1 && i < 18 && (gray >> (17 - i)) & 1);
        brush.fillStyle = lit ? "#fff" : "#000";
        brush.fillRect(i * block, 0, block, strip);
      }
      brush.fillStyle = now % 1000 < 100 ? "#fff" : "#000";
      brush.fillRect(canvas.width * 0.75, canvas.height * 0.75, canvas.width * 0.25, canvas.height * 0.25);
    };
    draw();
    setInterval(draw, 1000 / 30);
    return canvas.captureStream(30).getTracks();
  }

  // A steady tone with a beep at each flash.
  function tones() {
    const context = new AudioContext({ sampleRate: 48000 });
    const out = context.createMediaStreamDestination();
    const tone = (hertz, gain) => {
      const source = new OscillatorNode(context, { frequency: hertz }), volume = new GainNode(context, { gain });
      source.connect(volume).connect(out);
      source.start();
      return volume.gain;
    };
    tone(500, 0.3);
    const beep = tone(2000, 0);
    const ahead = () => {
      const next = Math.ceil((Date.now() + 300) / 1000) * 1000, at = context.currentTime + (next - Date.now()) / 1000;
      beep.setValueAtTime(0.4, at);
      beep.setValueAtTime(0, at + 0.1);
      setTimeout(ahead, next - Date.now() + 100);
    };
    ahead();
    return out.stream.getTracks();
  }

  const user = async (constraints) => (await navigator.mediaDevices.getUserMedia(constraints)).getTracks();

  async function tracks(media, rids) {
    if (media === "camera") return user({ audio: true, video: { width: 640, height: 360 } });
    return [...clock(rids, media === "busy clock"), ...tones()];
  }

  function encodings(rids) {
    return rids.map((rid, index) => ({ rid, scaleResolutionDownBy: 2 ** (rids.length - 1 - index) }));
  }

  // The server's candidates: only those over TCP, or its UDP ones at another address (RFC 8839 section 5.1).
  function elsewhere(sdp, { onlyTcp, via }) {
    const [host, port] = via?.split(":") ?? [];
    const without = onlyTcp ? / udp /i : via ? / tcp /i : / never /;
    const lines = sdp.split("\r\n").filter((line) => !line.startsWith("a=candidate:") || !without.test(line));
    return lines.map((line) => via ? line.replace(/^(a=candidate:\S+ \d+ udp \d+) \S+ \d+/i, `$1 ${host} ${port}`) : line).join("\r\n");
  }

  async function publish({ whip, media, codec, rids, onlyTcp, via }) {
    const stream = new MediaStream(await tracks(media, rids));
    peer = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
    peer.onconnectionstatechange = () => { seen.state = peer.connectionState; };
    for (const track of stream.getTracks()) {
      const sendEncodings = track.kind === "video" && rids ? encodings(rids) : undefined;
      const transceiver = peer.addTransceiver(track, { direction: "sendonly", streams: [stream], sendEncodings });
      if (track.kind === "video" && codec) {
        const all = RTCRtpSender.getCapabilities("video").codecs;
        transceiver.setCodecPreferences(all.filter(({ mimeType }) => mimeType === codec || mimeType === "video/rtx"));
      }
      if (track.kind === "video" && media === "busy clock") {
        // Chromium makes a picture that is too much for its network smaller, and gives small ones no more than
        // 600 kbit/s whatever the network carries.
        const parameters = transceiver.sender.getParameters();
        await transceiver.sender.setParameters({ ...parameters, degradationPreference: "maintain-resolution" });
      }
    }
    await peer.setLocalDescription();
    const reply = await fetch(whip, {
      method: "POST", headers: { "Content-Type": "application/sdp" }, body: peer.localDescription.sdp,
    });
    const text = await reply.text();
    seen.answer = { status: reply.status, text, offer: peer.localDescription.sdp };
    if (reply.status !== 201) { seen.problem = `${reply.status}: ${text.slice(0, 300)}`; return; }
    location_ = new URL(reply.headers.get("Location"), whip).href;
    await peer.setRemoteDescription({ type: "answer", sdp: elsewhere(text, { onlyTcp, via }) });
  }

  async function statistics() {
    if (!peer) return null;
    const found = { video: [] };
    const entries = await peer.getStats();
    for (const entry of entries.values()) {
      if (entry.type === "outbound-rtp" && entry.kind === "video") {
        found.video.push(entry);
        found.codec = entries.get(entry.codecId)?.mimeType;
      }
      if (entry.type === "outbound-rtp" && entry.kind === "audio") found.audio = entry;
      if (entry.type === "candidate-pair" && entry.nominated) {
        found.pair = entry;
        found.transport = entries.get(entry.remoteCandidateId)?.protocol;
      }
    }
    return found;
  }

  window.publish = (request) => publish(request).catch((error) => { seen.problem = String(error); });
  window.published = async () => ({ ...seen, statistics: await statistics() });
  window.setActive = async (rid, active) => {
    for (const sender of peer.getSenders()) {
      const parameters = sender.getParameters();
      const encoding = parameters.encodings.find((one) => one.rid === rid);
      if (encoding) encoding.active = active;
      if (encoding) await sender.setParameters(parameters);
    }
  };
  window.leave = async (say) => {
    if (location_ && say) await fetch(location_, { method: "DELETE" });
    peer?.close();
  };
})();
