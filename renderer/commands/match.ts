/**
 * How well a command fits what was typed; 0: not at all. Every word must be there, whole: letters that happen to come in that
 * order somewhere ("theme dark" in "Show or hide in the trace: Missed") would put another command under Enter.
 */
export function matchScore(name: string, search: string, keywords: readonly string[] = []): number {
  const typed = search.trim().toLowerCase();
  const title = name.toLowerCase();
  const rest = keywords.join(' ').toLowerCase();
  let score = title.startsWith(typed) ? 1 : 0.9;
  for (const word of typed.split(/\s+/)) {
    const at = title.indexOf(word);
    if (at < 0 && !rest.includes(word)) return 0;
    if (at < 0) score *= 0.5;
    else if (at > 0 && /[\p{L}\p{N}]/u.test(title[at - 1]!)) score *= 0.7;
  }
  return score;
}
