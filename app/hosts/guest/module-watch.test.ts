import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { watchModules } from './module-watch.ts';

let parent: string;
let stop: () => void;
const copied: string[] = [];
const said: string[] = [];

/** As build.sh: a folder beside it, then in its place; what was not built keeps its time. */
function build(modules: Record<string, [text: string, time: number]>): void {
  const made = path.join(parent, 'modules.new');
  mkdirSync(made);
  for (const [name, [text, time]] of Object.entries(modules)) {
    writeFileSync(path.join(made, name), text);
    utimesSync(path.join(made, name), time, time);
  }
  rmSync(path.join(parent, 'modules'), { recursive: true, force: true });
  renameSync(made, path.join(parent, 'modules'));
}

beforeEach(() => {
  parent = mkdtempSync(path.join(tmpdir(), 'modules-'));
  copied.length = 0;
  said.length = 0;
  build({ 'one.ko': ['first', 1], 'two.ko': ['first', 1] });
  stop = watchModules(
    parent,
    async (file, name) => {
      if (name === 'bad.ko') throw new Error('no room');
      copied.push(`${name}: ${readFileSync(file, 'utf8')}`);
    },
    (line) => said.push(line),
  );
});

afterEach(() => {
  stop();
  rmSync(parent, { recursive: true, force: true });
});

it('brings what was built anew, and nothing else', async () => {
  build({ 'one.ko': ['first', 1], 'two.ko': ['second', 2], 'three.ko': ['first', 2], 'notes.txt': ['', 2] });
  await expect.poll(() => said.length).toBe(1);
  expect(copied.sort()).toEqual(['three.ko: first', 'two.ko: second']);
  expect(said[0]).toMatch(
    /^Built anew and in the guest's \/lab\/modules: (two.ko, three.ko|three.ko, two.ko)$/,
  );
  build({ 'one.ko': ['second', 3], 'two.ko': ['second', 2], 'three.ko': ['first', 2] });
  await expect.poll(() => said.length).toBe(2);
  expect(copied).toHaveLength(3);
  expect(copied[2]).toBe('one.ko: second');
});

it('says what did not get there, and goes on', async () => {
  build({ 'bad.ko': ['', 2], 'one.ko': ['first', 1] });
  await expect.poll(() => said).toEqual(['bad.ko did not get into the guest: no room']);
  build({ 'bad.ko': ['', 2], 'one.ko': ['second', 3] });
  await expect.poll(() => copied).toEqual(['one.ko: second']);
});
