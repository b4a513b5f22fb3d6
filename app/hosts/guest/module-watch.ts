/**
 * Kernel modules that are built anew while a guest runs are brought in: build.sh replaces the folder `modules` as a whole, so
 * that its parent is what is watched.
 */
import { type FSWatcher, readdirSync, statSync, watch } from 'node:fs';
import path from 'node:path';

const FOLDER = 'modules';

/** Names of the modules, and when each was built. */
function built(parent: string): Map<string, number> {
  const times = new Map<string, number>();
  try {
    const folder = path.join(parent, FOLDER);
    for (const name of readdirSync(folder))
      if (name.endsWith('.ko')) times.set(name, statSync(path.join(folder, name)).mtimeMs);
  } catch {
    // The folder is being replaced; the next event comes with the new one.
  }
  return times;
}

/** Calls `copy` for every module that is built after this, one after the other; returns what ends it. */
export function watchModules(
  parent: string,
  copy: (file: string, name: string) => Promise<void>,
  say: (line: string) => void,
): () => void {
  let known = built(parent);
  let last: Promise<void> = Promise.resolve();
  const bring = async (): Promise<void> => {
    const now = built(parent);
    const changed = [...now].filter(([name, time]) => known.get(name) !== time).map(([name]) => name);
    if (now.size > 0) known = now;
    if (changed.length === 0) return;
    try {
      for (const name of changed) await copy(path.join(parent, FOLDER, name), name);
      say(`Built anew and in the guest's /lab/modules: ${changed.join(', ')}`);
    } catch (error) {
      say(`${changed.join(', ')} did not get into the guest: ${(error as Error).message}`);
    }
  };
  let watcher: FSWatcher | undefined;
  try {
    watcher = watch(parent, (_event, name) => {
      if (name === FOLDER) last = last.then(bring);
    });
    watcher.on('error', (error) => say(`${parent} is not watched any more: ${error.message}`));
  } catch (error) {
    say(`Modules that are built anew do not reach this guest: ${(error as Error).message}`);
  }
  return () => watcher?.close();
}
