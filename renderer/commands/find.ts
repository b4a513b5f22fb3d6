/** Which commands a person means. */
import { defaultFilter } from 'cmdk';
import type { Command } from './registry.ts';

/** Of the best one's score: what matches less has its letters by accident. */
const WORTH_SHOWING = 0.02;

/** By group; with a text the best ones alone, best group and best command first. */
export function findCommands(
  list: readonly Command[],
  wanted: string,
): readonly (readonly [group: string, readonly Command[]])[] {
  const text = wanted.trim();
  const scored = list.map((command) => {
    const { title, id, group, keywords = '' } = command;
    return { command, score: text === '' ? 1 : defaultFilter(`${title} ${id}`, text, [group, keywords]) };
  });
  const best = Math.max(0, ...scored.map(({ score }) => score));
  const groups = new Map<string, Command[]>();
  const found = scored.filter(({ score }) => score > 0 && score >= best * WORTH_SHOWING);
  // A stable order keeps equal ones as they were registered.
  for (const { command } of found.sort((a, b) => b.score - a.score)) {
    const group = groups.get(command.group);
    if (group === undefined) groups.set(command.group, [command]);
    else group.push(command);
  }
  return [...groups];
}
