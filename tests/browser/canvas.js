// Watches a canvas or a video element and listens to an audio node as a viewer would: what `observe.js` is for video elements.
// `window.watchCanvas(canvas, node)` gives an object that goes on being filled.
(() => {
  const BLOCKS = 20; // white, black, sixteen of Gray code, black, white
  const [TONE, BEEP] = [500, 2000]; // hertz: the steady tone; once a second, together with the flash
  const worklet = `registerProcessor("canvas-ear", class extends AudioWorkletProcessor {
    constructor() { super(); this.block = new Float32Array(256); this.fill = 0; this.loud = false; this.quiet = 99; this.sum = this.fresh(); }
    fresh() { return { blocks: 0, silent: 0, energy: 0, steady: 0, tone: 0 }; }
    goertzel(hertz) {
      const w = 2 * Math.cos(2 * Math.PI * hertz / sampleRate); let a = 0, b = 0;
      for (const x of this.block) { const c = x + w * a - b; b = a; a = c; }
      return (a * a + b * b - w * a * b) * 2 / (256 * 256);
    }
    listen(end) {
      let energy = 0; for (const x of this.block) energy += x * x; energy /= 256;
      const beep = this.goertzel(${BEEP}), loud = beep > 5e-4;
      this.sum.blocks++; this.sum.energy += energy;
      if (beep < 1e-4) { this.sum.steady += energy; this.sum.tone += this.goertzel(${TONE}); }
      if (energy < 1e-7) this.sum.silent++;
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

  async function listen(node, seen) {
    const tones = []; // of the last half seconds, without the blocks in which it beeped
    const { context } = node;
    await context.audioWorklet.addModule(URL.createObjectURL(new Blob([worklet], { type: "text/javascript" })));
    const ear = new AudioWorkletNode(context, "canvas-ear");
    node.connect(ear);
    ear.port.onmessage = ({ data }) => {
      // When it leaves the loudspeaker.
      const { contextTime, performanceTime } = context.getOutputTimestamp();
      if (data.beep !== undefined) seen.beeps.push(performanceTime + (data.beep - contextTime) * 1000);
      if (data.sum) {
        seen.soundBlocks += data.sum.blocks;
        seen.silentBlocks += data.sum.silent;
        if (data.sum.steady > 0) tones.push(data.sum.tone / data.sum.steady);
        if (tones.length > 8) tones.shift();
        seen.tone = [...tones].sort((a, b) => a - b)[tones.length >> 1] ?? 0;
      }
    };
  }

  window.watchCanvas = (canvas, node) => {
    const seen = { frames: 0, unreadable: 0, backwards: 0, latencies: [], flashes: [], beeps: [], tone: 0, soundBlocks: 0, silentBlocks: 0, longestPause: 0 };
    const small = document.createElement("canvas");
    small.width = BLOCKS;
    small.height = 17;
    const brush = small.getContext("2d", { willReadFrequently: true });
    let lastSum = null, lastClock = null, lastLit = true, lastAt = null;
    const step = () => {
      requestAnimationFrame(step);
      const w = canvas.videoWidth ?? canvas.width, h = canvas.videoHeight ?? canvas.height, block = Math.floor(w / BLOCKS), strip = Math.floor(h / 18);
      brush.drawImage(canvas, 0, strip * 0.25, block * BLOCKS, strip * 0.5, 0, 0, BLOCKS, 1);
      brush.drawImage(canvas, w * 0.8, h * 0.8, w * 0.15, h * 0.15, 0, 1, 1, 1);
      brush.drawImage(canvas, 0, strip * 2, w, h - strip * 2, 0, 2, BLOCKS, 15);
      const pixels = brush.getImageData(0, 0, BLOCKS, 17).data;
      const light = (i) => (pixels[4 * i] + pixels[4 * i + 1] + pixels[4 * i + 2]) / 3;
      let sum = 0;
      for (let i = 0; i < 17 * BLOCKS; i++) sum = (sum * 31 + pixels[4 * i + 1]) | 0;
      if (sum === lastSum) return;
      lastSum = sum;
      const at = performance.now();
      seen.frames++;
      if (lastAt !== null) seen.longestPause = Math.max(seen.longestPause, at - lastAt);
      lastAt = at;
      const lit = light(BLOCKS) > 128;
      if (lit && !lastLit) seen.flashes.push(at);
      lastLit = lit;
      const bits = [...Array(BLOCKS).keys()];
      const isSure = (i) => light(i) < 70 || light(i) > 185;
      if (!bits.every(isSure) || ![0, 1, 18, 19].every((i) => (light(i) > 128) === (i === 0 || i === 19))) return void seen.unreadable++;
      let bit = 0, clock = 0;
      for (let i = 2; i < 18; i++) { bit ^= light(i) > 128 ? 1 : 0; clock = clock * 2 + bit; }
      seen.latencies.push(((Date.now() - clock) % 65536 + 65536) % 65536);
      if (lastClock !== null && ((clock - lastClock) % 65536 + 65536) % 65536 > 32768) seen.backwards++;
      lastClock = clock;
    };
    requestAnimationFrame(step);
    if (node) listen(node, seen);
    return seen;
  };

  const percentile = (values, share) => [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? null;
  // What was seen and heard, in few numbers: the sound after the picture is that of the last five flashes.
  window.sumUp = (seen) => {
    const nearest = (flash) => seen.beeps.map((beep) => beep - flash).sort((a, b) => Math.abs(a) - Math.abs(b))[0];
    const offsets = seen.flashes.map(nearest).filter((offset) => Math.abs(offset) < 500);
    const { latencies, flashes, beeps, ...rest } = seen;
    return { ...rest, p50: percentile(latencies, 0.5), p95: percentile(latencies, 0.95), offsets, sync: percentile(offsets.slice(-5), 0.5) };
  };
})();
