// Publishes from headless Chromium by WHIP and tells what the sender says of it, one JSON object a line, until its
// input ends; then it ends the session.
//
// Argument: {"url": page to publish from, "whip": WHIP address, "media": "camera", "clock" or "busy clock",
// "codec": "video/H264", "rids": names of simulcast renditions, the largest last, "onlyTcp": as if
// UDP were blocked, "via": host:port to reach the server's media at instead of its own}.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const request = JSON.parse(process.argv[2]);
const load = createRequire(join(process.env.HEADWATER_TEST_TOOLS, "node", "package.json"));
const { chromium } = load("playwright-core");

const say = (object) => process.stdout.write(JSON.stringify(object) + "\n");
const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--autoplay-policy=no-user-gesture-required",
  "--use-fake-ui-for-media-stream",
  "--use-fake-device-for-media-stream=fps=30",
  "--disable-background-timer-throttling",
  "--disable-renderer-backgrounding",
];

const browser = await chromium.launch({ executablePath: request.chromium, args: flags, headless: true });
const context = await browser.newContext({ bypassCSP: true, permissions: ["camera", "microphone"] });
await context.route("**/favicon.ico", (route) => route.fulfill({ status: 204 }));
const page = await context.newPage();
page.on("console", (message) => message.type() === "error" && say({ console: message.text() }));
page.on("pageerror", (error) => say({ error: String(error) }));

try {
  await page.goto(request.url, { waitUntil: "load" });
  await page.addScriptTag({ content: readFileSync(new URL("sender.js", import.meta.url), "utf8") });
  await page.evaluate((request) => window.publish(request), request);
} catch (error) {
  say({ error: String(error) });
}

const timer = setInterval(async () => {
  try {
    say({ sample: await page.evaluate(() => window.published()) });
  } catch (error) {
    say({ error: String(error) });
  }
}, 500);

// As input: "vanish", and the end is not told by DELETE; "pause RID" or "resume RID" of one rendition.
let polite = true;
process.stdin.on("data", async (text) => {
  polite &&= !String(text).includes("vanish");
  for (const [, act, rid] of String(text).matchAll(/^(pause|resume) (\S+)$/gm)) {
    await page.evaluate(([rid, active]) => window.setActive(rid, active), [rid, act === "resume"]);
  }
});
process.stdin.on("end", async () => {
  clearInterval(timer);
  try {
    say({ sample: await page.evaluate(() => window.published()) });
    await page.evaluate((polite) => window.leave(polite), polite);
  } catch (error) {
    say({ error: String(error) });
  }
  await browser.close();
  process.exit(0);
});
