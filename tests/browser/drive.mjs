// Opens a headless browser for the scripts of this folder: Chromium by Playwright, Firefox by Puppeteer, which speaks
// WebDriver BiDi with it as Debian ships it. What the scripts do with a page has the same names in both, where both can.
//
// The first argument of each script is an object in JSON with at least {"browser": {"name": "chromium" or "firefox",
// "path"}}.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const request = JSON.parse(process.argv[2]);
export const load = createRequire(join(process.env.HEADWATER_TEST_TOOLS, "node", "package.json"));
export const say = (object) => process.stdout.write(JSON.stringify(object) + "\n");

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--autoplay-policy=no-user-gesture-required",
];
const PREFERENCES = {
  "browser.chrome.site_icons": false,
  "media.autoplay.default": 0, // 0: allowed
  "media.autoplay.blocking_policy": 0,
  "media.navigator.permission.disabled": true,
  "media.navigator.streams.fake": true,
};

// Yields a context that makes pages: Playwright's own, made with these options, or as much of one as Firefox has.
// `flags` are Chromium's, beside the ordinary ones.
export function open(options = {}, flags = []) {
  const { name, path } = request.browser;
  return name === "firefox" ? firefox(path, options) : chromium(path, options, flags);
}

async function chromium(executablePath, options, flags) {
  const browser = await load("playwright-core").chromium.launch({ executablePath, args: [...FLAGS, ...flags], headless: true });
  // The tests' own authorities, and none.
  const context = await browser.newContext({ bypassCSP: true, ignoreHTTPSErrors: true, ...options });
  context.end = () => browser.close();
  return context;
}

// Without a sound card nothing that is heard goes on in Firefox: PulseAudio is one, for nobody's ears.
// It ends together with this script, however that ends, and so does the browser, which would stay otherwise.
const KEEPER = `
  pulseaudio --daemonize=no --use-pid-file=no --exit-idle-time=-1 -n -L module-null-sink \\
    -L "module-native-protocol-unix auth-anonymous=1 socket=$0" > /dev/null 2>&1 &
  sound=$!
  read -r browser
  cat > /dev/null
  kill -s KILL $sound
  kill -s KILL -- "-$browser"`;

async function soundCard() {
  const folder = mkdtempSync(join(tmpdir(), "sound-")), socket = join(folder, "native");
  const env = { ...process.env, HOME: folder, XDG_RUNTIME_DIR: folder };
  const keeper = spawn("sh", ["-c", KEEPER, socket], { env, stdio: ["pipe", "ignore", "ignore"], detached: true });
  keeper.unref();
  keeper.stdin.unref();
  for (let tries = 0; !existsSync(socket); tries++) {
    if (tries > 200) throw new Error("PulseAudio does not start");
    await new Promise((done) => setTimeout(done, 50));
  }
  return { server: `unix:${socket}`, keep: (pid) => keeper.stdin.write(`${pid}\n`) };
}

async function firefox(executablePath, { viewport }) {
  const { default: puppeteer } = await import(load.resolve("puppeteer-core"));
  const sound = await soundCard();
  const browser = await puppeteer.launch({
    browser: "firefox", executablePath, headless: true, acceptInsecureCerts: true, extraPrefsFirefox: PREFERENCES,
    defaultViewport: viewport, env: { ...process.env, PULSE_SERVER: sound.server },
  });
  sound.keep(browser.process().pid);
  const first = [];
  return {
    newPage: async () => {
      const page = await browser.newPage();
      for (const script of first) await page.evaluateOnNewDocument(script);
      return Object.assign(page, {
        addInitScript: (script) => page.evaluateOnNewDocument(script),
        // Not as an element, which the rules of the server's pages forbid.
        addScriptTag: ({ content, path }) => page.evaluate(content ?? readFileSync(path, "utf8")),
        fill: (selector, text) => page.locator(selector).fill(text),
      });
    },
    addInitScript: (script) => first.push(script),
    end: () => browser.close(),
  };
}

// A page that a script is tried in has no icon; Firefox is told to ask for none.
export async function withoutIcon(context) {
  await context.route?.("**/favicon.ico", (route) => route.fulfill({ status: 204 }));
}
