// Pages in a headless browser that a test tells what to do, line by line, and that answer line by line.
//
// Argument: {"browser": as drive.mjs has it, "base": address of the server, "width", "height", "dark"}.
// Lines in: {"page": name, "open": path} | {"page", "before": script to run ahead of those of each page} | {"page", "run": body of an async function} | {"page", "click": selector}
// | {"page", "fill": selector, "text"} | {"page", "script": file of this folder, or the npm package of the WCS Web SDK, of hls.js or of dash.js}
// | {"page", "front": true} | {"page", "see": file} | {"page", "download": selector of what gives a file, "to": path}. Lines out: {"value"} or {"error"}, one for each, in order;
// and between them {"complaint"} for what the console said.
import { createInterface } from "node:readline";
import { load, open, request, say, withoutIcon } from "./drive.mjs";

// What a test needs in every page: to wait, and to see and hear what a viewer does.
function instruments() {
  window.until = async (what, condition, within = 15000) => {
    const end = performance.now() + within;
    for (;;) {
      const found = await condition();
      if (found) return found;
      if (performance.now() > end) throw new Error(`not within ${within} ms: ${typeof what === "function" ? what() : what}`);
      await new Promise((done) => setTimeout(done, 50));
    }
  };
  // Pictures shown by an element from now on.
  window.count = (video) => {
    const seen = { frames: 0 };
    const step = () => {
      seen.frames += 1;
      video.requestVideoFrameCallback(step);
    };
    video.requestVideoFrameCallback(step);
    return seen;
  };
  window.light = (video) => {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 8;
    const brush = canvas.getContext("2d");
    brush.drawImage(video, 0, 0, 8, 8);
    const { data } = brush.getImageData(0, 0, 8, 8);
    return data.reduce((sum, value, index) => (index % 4 === 3 ? sum : sum + value), 0) / (3 * 64);
  };
  // The loudest sample of the last moments, 0 to 1; the fake microphone beeps once a second.
  window.listen = (stream) => {
    const context = new AudioContext();
    const ear = context.createAnalyser();
    ear.fftSize = 2048;
    context.createMediaStreamSource(stream).connect(ear);
    const samples = new Float32Array(ear.fftSize);
    const heard = { peak: 0 };
    setInterval(() => {
      ear.getFloatTimeDomainData(samples);
      heard.peak = Math.max(heard.peak, ...samples.map(Math.abs));
    }, 30);
    return heard;
  };
}

// Of Chromium’s fake cameras the second is one for depth, which gives no picture; so three are asked for.
const context = await open({
  bypassCSP: request.bypassCSP ?? true,
  viewport: { width: request.width ?? 1000, height: request.height ?? 800 },
  colorScheme: request.dark ? "dark" : "light",
}, ["--use-fake-device-for-media-stream=device-count=3,fps=30", "--use-fake-ui-for-media-stream"]);
await context.addInitScript(instruments);
await withoutIcon(context);
const pages = new Map();

async function pageOf(name) {
  if (!pages.has(name)) {
    const page = await context.newPage();
    page.on("console", (message) => message.type() === "error" && say({ complaint: `${message.text()} ${message.location().url}` }));
    page.on("pageerror", (error) => say({ complaint: String(error) }));
    pages.set(name, page);
  }
  return pages.get(name);
}

const sdkOfWcs = "@flashphoner/websdk";
const packages = { [sdkOfWcs]: `${sdkOfWcs}/flashphoner.js`, "hls.js": "hls.js/dist/hls.min.js", dashjs: "dashjs" };
const file = (script) => packages[script] ? load.resolve(packages[script]) : new URL(script, import.meta.url).pathname;

async function act({ page: name, open, before, run, script, front, click, fill, text, see, leave, download, to }) {
  const page = await pageOf(name);
  if (open) return void (await page.goto(new URL(open, request.base).href, { waitUntil: "load" }));
  if (before) return void (await page.addInitScript(before));
  if (script) return void (await page.addScriptTag({ path: file(script) }));
  if (front) return void (await page.bringToFront());
  if (click) return void (await page.click(click));
  if (fill) return void (await page.fill(fill, text));
  if (see) return void (await page.screenshot({ path: see, fullPage: true }));
  if (download) {
    const [given] = await Promise.all([page.waitForEvent("download"), page.click(download)]);
    await given.saveAs(to);
    return given.suggestedFilename();
  }
  if (leave) return pages.delete(name), void (await page.close({ runBeforeUnload: true }));
  return (await page.evaluate(`(async () => {${run}})()`)) ?? null;
}

for await (const line of createInterface({ input: process.stdin })) {
  try {
    say({ value: (await act(JSON.parse(line))) ?? null });
  } catch (error) {
    say({ error: String(error.message ?? error).slice(0, 2000) });
  }
}
await context.end();
process.exit(0);
