// Reads server-sent events with the EventSource of headless Chromium and prints each as a line of JSON.
//
// Argument: {"url": page of the server to open, "events": address of the events, "chromium": its path}.
import { createRequire } from "node:module";
import { join } from "node:path";

const request = JSON.parse(process.argv[2]);
const load = createRequire(join(process.env.HEADWATER_TEST_TOOLS, "node", "package.json"));
const { chromium } = load("playwright-core");

const browser = await chromium.launch({ executablePath: request.chromium, args: ["--no-sandbox", "--disable-gpu"], headless: true });
const page = await (await browser.newContext({ bypassCSP: true })).newPage();
const say = (object) => process.stdout.write(JSON.stringify(object) + "\n");
await page.exposeFunction("say", say);
await page.goto(request.url, { waitUntil: "load" });
await page.evaluate((address) => {
  const source = new EventSource(address);
  source.onopen = () => window.say({ open: true });
  source.onmessage = (event) => window.say({ id: event.lastEventId, data: JSON.parse(event.data) });
  source.onerror = () => window.say({ error: source.readyState });
}, request.events);

process.stdin.resume();
process.stdin.on("end", async () => {
  await browser.close();
  process.exit(0);
});
