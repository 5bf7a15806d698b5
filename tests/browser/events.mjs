// Reads server-sent events with the EventSource of headless Chromium and prints each as a line of JSON.
//
// Argument: {"url": page of the server to open, "events": address of the events, "browser": as drive.mjs has it}.
import { open, request, say } from "./drive.mjs";

const context = await open();
const page = await context.newPage();
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
  await context.end();
  process.exit(0);
});
