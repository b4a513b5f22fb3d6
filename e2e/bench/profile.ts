/** Where a device process spends its time, so that a figure can be explained instead of guessed at. */
import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Guest } from '#app/hosts/guest/qemu.ts';

/** As `--cpu-prof` writes it. */
export interface CpuProfile {
  nodes: { id: number; callFrame: { functionName: string; url: string; lineNumber: number } }[];
  samples: number[];
  /** us between samples. */
  timeDeltas: number[];
}

export interface HotFunction {
  name: string;
  ms: number;
  /** Of the whole time of the profile, waiting included. */
  share: number;
}

/** Self time by function, longest first. */
export function hotFunctions(profile: CpuProfile, count: number): HotFunction[] {
  const byId = new Map(
    profile.nodes.map(({ id, callFrame }) => {
      const file = path.basename(callFrame.url);
      return [
        id,
        file
          ? `${callFrame.functionName || '(anonymous)'} ${file}:${callFrame.lineNumber + 1}`
          : callFrame.functionName,
      ];
    }),
  );
  const times = new Map<string, number>();
  let total = 0;
  for (const [index, id] of profile.samples.entries()) {
    const us = profile.timeDeltas[index] ?? 0;
    const name = byId.get(id) ?? '(unknown)';
    times.set(name, (times.get(name) ?? 0) + us);
    total += us;
  }
  return [...times]
    .sort((a, b) => b[1] - a[1])
    .slice(0, count)
    .map(([name, us]) => ({ name, ms: us / 1000, share: total > 0 ? us / total : 0 }));
}

export interface ThreadTime {
  name: string;
  userMs: number;
  systemMs: number;
}

/** Processor time of every thread of a process so far; a tick is 10 ms. */
export async function threadTimes(guest: Guest, pid: number): Promise<Map<number, ThreadTime>> {
  const text = await guest.output(`cat /proc/${pid}/task/*/stat`);
  const threads = new Map<number, ThreadTime>();
  for (const line of text.split('\n')) {
    const match = /^(\d+) \((.*)\) (.*)$/.exec(line);
    if (!match) continue;
    const fields = match[3]!.split(' ');
    threads.set(Number(match[1]), {
      name: match[2]!,
      userMs: Number(fields[11]) * 10,
      systemMs: Number(fields[12]) * 10,
    });
  }
  return threads;
}

/** What the threads did between two looks, the busy ones only. */
export function threadReport(before: Map<number, ThreadTime>, after: Map<number, ThreadTime>): string[] {
  return [...after]
    .map(([id, { name, userMs, systemMs }]) => ({
      id,
      name,
      user: userMs - (before.get(id)?.userMs ?? 0),
      system: systemMs - (before.get(id)?.systemMs ?? 0),
    }))
    .filter(({ user, system }) => user + system >= 50)
    .sort((a, b) => b.user + b.system - a.user - a.system)
    .map(({ id, name, user, system }) => `thread ${id} ${name}: ${user} ms user, ${system} ms system`);
}

/** Copies the profiles of a process that ended and prints what was hot in each thread. */
export async function reportProfiles(guest: Guest, guestDir: string, hostDir: string): Promise<void> {
  mkdirSync(hostDir, { recursive: true });
  const names = (await guest.output(`ls ${guestDir}`)).trim().split('\n').filter(Boolean);
  for (const name of names) {
    const file = path.join(hostDir, name);
    await guest.copyOut(`${guestDir}/${name}`, file);
    const profile = JSON.parse(readFileSync(file, 'utf8')) as CpuProfile;
    process.stdout.write(`${file}\n`);
    for (const { name: what, ms, share } of hotFunctions(profile, 15)) {
      process.stdout.write(
        `  ${(share * 100).toFixed(1).padStart(5)} %  ${ms.toFixed(0).padStart(7)} ms  ${what}\n`,
      );
    }
  }
}
