// Publishes from a headless browser by WHIP and tells what the sender says of it, one JSON object a line, until its
// input ends; then it ends the session.
//
// Argument: {"browser": as drive.mjs has it, "url": page to publish from, "whip": WHIP address, "media": "camera", "clock" or "busy clock",
// "codec": "video/H264", "rids": names of simulcast renditions, the largest last, "onlyTcp": as if
// UDP were blocked, "via": host:port to reach the server's media at instead of its own}.
import { readFileSync } from "node:fs";
import { open, request, say, withoutIcon } from "./drive.mjs";

const context = await open({ permissions: ["camera", "microphone"] }, [
  "--use-fake-ui-for-media-stream",
  "--use-fake-device-for-media-stream=fps=30",
  "--disable-background-timer-throttling",
  "--disable-renderer-backgrounding",
]);
await withoutIcon(context);
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
  await context.end();
  process.exit(0);
});
