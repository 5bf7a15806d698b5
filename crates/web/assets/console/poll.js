/**
 * Asks again and again while somebody looks.
 */

const HIDDEN_FACTOR = 8;

/**
 * Runs a task at once and then with this time between its end and its next beginning; slower in a tab that nobody sees,
 * and at once when it is seen again.
 * @param {(signal: AbortSignal) => Promise<void>} task  tells of its errors itself
 * @param {number} ms
 * @returns {{stop: () => void, now: () => void}}
 */
export function repeat(task, ms) {
  const end = new AbortController();
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  let timer;
  let running = false;
  let again = false;
  const run = async () => {
    clearTimeout(timer);
    if (end.signal.aborted) return;
    if (running) return void (again = true);
    running = true;
    try {
      await task(end.signal);
    } catch (error) {
      if (!end.signal.aborted) console.warn(error);
    }
    running = false;
    if (again) {
      again = false;
      return void run();
    }
    if (!end.signal.aborted) timer = setTimeout(run, document.hidden ? ms * HIDDEN_FACTOR : ms);
  };
  document.addEventListener('visibilitychange', () => document.hidden || run(), { signal: end.signal });
  run();
  return {
    stop: () => {
      end.abort();
      clearTimeout(timer);
    },
    now: run,
  };
}
