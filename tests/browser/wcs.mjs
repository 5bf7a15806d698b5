// A page made with the WCS Web SDK, unmodified, in headless Chromium. Does what lines of its input say, one JSON
// object each: {"call": a function of wcs.js or of `hands`, "args": […]}; answers {"result": …} or {"error": …}.
//
// Argument: {"browser": as drive.mjs has it, "url": page to run in, "example": a page of the Web SDK's own, to open there instead}.
import { createInterface } from "node:readline";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { dirname, extname, join } from "node:path";
import { load, open, request, say } from "./drive.mjs";

const flags = [
  "--use-fake-device-for-media-stream=device-count=3",
  // Answers what a visitor is asked: the camera by a permission, the screen by the page itself.
  "--auto-accept-this-tab-capture",
];
if (request.url.startsWith("https:")) flags.push("--ignore-certificate-errors");

const context = await open({ permissions: ["camera", "microphone"] }, flags);
const page = await context.newPage();
page.on("pageerror", (error) => say({ pageError: String(error) }));
page.on("console", (message) => process.stderr.write(`${message.text()}\n`));

const sdk = dirname(load.resolve("@flashphoner/websdk/package.json"));
// The Web SDK's files are on a web server of their own beside the server under test; nothing is fetched from elsewhere.
const { hostname } = new URL(request.url);
const files = createServer((asked, answer) => {
  const file = join(sdk, new URL(asked.url, "http://files").pathname);
  const kind = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" }[extname(file)];
  readFile(file).then(
    (bytes) => answer.writeHead(200, { "Content-Type": kind ?? "application/octet-stream" }).end(bytes),
    () => answer.writeHead(404).end());
});
await new Promise((done) => files.listen(0, hostname, done));
await context.route("**/*", (route) => {
  const asked = new URL(route.request().url());
  if (asked.hostname !== hostname) return route.abort();
  return asked.pathname === "/favicon.ico" ? route.fulfill({ status: 204 }) : route.fallback();
});

// What somebody does who sits before the page.
const hands = {
  click: (selector) => page.click(selector),
  reads: (selector, text) => page.waitForFunction(
    ([selector, text]) => document.querySelector(selector)?.innerText.includes(text), [selector, text], { timeout: 20000 }).then(() => true),
  text: (selector) => page.innerText(selector),
  frames: (selector, count) => page.waitForFunction(([selector, count]) => {
    const video = document.querySelector(selector);
    if (!video) return false;
    if (video !== window.seenVideo) {
      window.seenVideo = video;
      window.seenFrames = 0;
      const step = () => { window.seenFrames++; video.requestVideoFrameCallback(step); };
      video.requestVideoFrameCallback(step);
    }
    return window.seenFrames >= count && video.videoWidth > 0;
  }, [selector, count], { timeout: 20000, polling: 50 }).then(() => true),
};

try {
  if (request.example) {
    const { port } = files.address();
    await page.goto(`http://${hostname}:${port}/examples/demo/streaming/${request.example}`, { waitUntil: "load" });
    say({ result: await page.title() });
  } else {
    await page.goto(request.url, { waitUntil: "load" });
    await page.addScriptTag({ path: join(sdk, "flashphoner.js") });
    await page.evaluate(() => Flashphoner.init({}));
    for (const script of ["canvas.js", "wcs.js"]) await page.addScriptTag({ path: new URL(script, import.meta.url).pathname });
    say({ result: await page.evaluate(() => Flashphoner.getMediaProviders()) });
  }
} catch (error) {
  say({ error: String(error) });
}

for await (const line of createInterface({ input: process.stdin })) {
  const { call, args } = JSON.parse(line);
  try {
    const done = hands[call] ? hands[call](...args) : page.evaluate(({ call, args }) => window.wcs[call](...args), { call, args });
    say({ result: (await done) ?? null });
  } catch (error) {
    say({ error: String(error) });
  }
}
await context.end();
process.exit(0);
