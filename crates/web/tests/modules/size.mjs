// What a page loads, and what the package says it holds.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';

const sdk = new URL('../../assets/sdk/', import.meta.url);
const read = (file) => readFileSync(new URL(file, sdk), 'utf8');
const CORE_BYTES_MAX = 40 * 1024;

/** A module and all that it imports before it runs. */
function graph(file, found = new Set()) {
  found.add(file);
  for (const [, name] of read(file).matchAll(/^(?:import|export) .*from '\.\/(.+)';$/gm)) if (!found.has(name)) graph(name, found);
  return found;
}

test('the core, which publishes and plays, is small', () => {
  const core = [...graph('headwater.js')];
  const bytes = core.reduce((sum, file) => sum + Buffer.byteLength(read(file)), 0);
  console.log(`the core of the SDK: ${bytes} bytes in ${core.length} modules`);
  assert.ok(bytes < CORE_BYTES_MAX, `${bytes} bytes: ${core}`);
  assert.ok(core.includes('stream.js') && core.includes('socket.js'));
});

test('the types name what the modules export, and no more', async () => {
  for (const module of ['headwater', 'player', 'wsplayer']) {
    const exported = Object.keys(await import(new URL(`${module}.js`, sdk))).sort();
    const typed = [...read(`${module}.d.ts`).matchAll(/^export (?:class|function|const|\{) ?(\w+)/gm)].map(([, name]) => name);
    assert.deepEqual(typed.sort(), exported);
  }
});

test('the player brings a way along only when it is tried', () => {
  const own = [...graph('player.js')];
  assert.deepEqual(own.sort(), ['errors.js', 'player.js', 'ways.js']);
});

test('the package holds every module and its types', () => {
  const { exports, files, type } = JSON.parse(read('package.json'));
  assert.equal(type, 'module');
  assert.deepEqual(exports['.'], { types: './headwater.d.ts', default: './headwater.js' });
  assert.ok(files.includes('*.js') && files.includes('*.d.ts') && files.includes('ways/*.js') && files.includes('wsplayer/*.js'));
});
