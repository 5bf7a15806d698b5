// A page made with the WCS Web SDK, unmodified, in headless Chromium. Does what lines of its input say, one JSON
// object each: {"call": a function of wcs.js, "args": […]}; answers {"result": …} or {"error": …}.
//
// Argument: {"url": page to run in, "chromium": program}.
import { createInterface } from "node:readline";
import { createRequire } from "node:module";
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
  "--use-fake-device-for-media-stream",
  "--use-fake-ui-for-media-stream",
];

const browser = await chromium.launch({ executablePath: request.chromium, args: flags, headless: true });
const context = await browser.newContext({ bypassCSP: true });
await context.route("**/favicon.ico", (route) => route.fulfill({ status: 204 }));
const page = await context.newPage();
page.on("pageerror", (error) => say({ pageError: String(error) }));
page.on("console", (message) => process.stderr.write(`${message.text()}\n`));

try {
  await page.goto(request.url, { waitUntil: "load" });
  await page.addScriptTag({ path: load.resolve("@flashphoner/websdk/flashphoner.js") });
  await page.evaluate(() => Flashphoner.init({}));
  await page.addScriptTag({ path: new URL("wcs.js", import.meta.url).pathname });
  say({ result: await page.evaluate(() => Flashphoner.getMediaProviders()) });
} catch (error) {
  say({ error: String(error) });
}

for await (const line of createInterface({ input: process.stdin })) {
  const { call, args } = JSON.parse(line);
  try {
    say({ result: (await page.evaluate(({ call, args }) => window.wcs[call](...args), { call, args })) ?? null });
  } catch (error) {
    say({ error: String(error) });
  }
}
await browser.close();
process.exit(0);
