// Watches one page in a headless browser and tells what it sees, one JSON object a line, until its input ends.
//
// Argument: {"browser": as drive.mjs has it, "url": page to open, "whep": WHEP address to play with our own client, or absent to watch the page's own
// video element, "onlyTcp": as if UDP were blocked, "via": host:port to reach the server's media at instead of its own, "screenshot": file to write at the end, "width", "height", "dark": how the window looks, "visitor": {"username", "password": what the visitor tells the browser when a server asks, "press": the button to press, "shows": what the page is to show then}}.
import { readFileSync } from "node:fs";
import { open, request, say, withoutIcon } from "./drive.mjs";

const context = await open({
  viewport: { width: request.width ?? 960, height: request.height ?? 640 },
  colorScheme: request.dark ? "dark" : "light",
  httpCredentials: request.visitor && { username: request.visitor.username, password: request.visitor.password },
});
if (request.whep) await withoutIcon(context);
const page = await context.newPage();
page.on("console", (message) => message.type() === "error" && say({ console: `${message.text()} ${message.location().url}` }));
page.on("pageerror", (error) => say({ error: String(error) }));
page.on("request", (sent) => {
  const host = new URL(sent.url()).host;
  if (/^https?:/.test(sent.url()) && host !== new URL(request.url).host) say({ foreign: sent.url() });
});

try {
  await page.goto(request.url, { waitUntil: "load" });
  if (request.visitor) {
    await page.getByRole("button", { name: request.visitor.press }).click({ timeout: 15_000 });
    await page.getByText(request.visitor.shows).first().waitFor({ timeout: 15_000 });
  }
  await page.addScriptTag({ content: readFileSync(new URL("observe.js", import.meta.url), "utf8") });
  await page.evaluate(({ whep, way }) => window.observe(whep, way), {
    whep: request.whep ?? null,
    way: { onlyTcp: request.onlyTcp ?? false, via: request.via ?? null },
  });
} catch (error) {
  say({ error: String(error) });
}

const timer = setInterval(async () => {
  try {
    say({ sample: await page.evaluate(() => window.observed()) });
  } catch (error) {
    say({ error: String(error) });
  }
}, 500);

process.stdin.resume();
process.stdin.on("end", async () => {
  clearInterval(timer);
  try {
    const text = await page.evaluate(() => document.body.innerText);
    say({ final: await page.evaluate(() => window.observed()), text });
    if (request.screenshot) await page.screenshot({ path: request.screenshot });
    await page.evaluate(() => window.leave());
  } catch (error) {
    say({ error: String(error) });
  }
  await context.end();
  process.exit(0);
});
