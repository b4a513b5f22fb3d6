// Prints "passed failed" of a JUnit report; exit status 1 when there is none or it names no test.
import { readFileSync } from 'node:fs';

let text;
try {
  text = readFileSync(process.argv[2], 'utf8');
} catch {
  process.exit(1);
}
let passed = 0;
let failed = 0;
// A <testcase/> without a body passed; one with <failure> or <error> failed; a skipped one is neither.
for (const match of text.matchAll(/<testcase\b[^>]*?(?:\/>|>([\s\S]*?)<\/testcase>)/g)) {
  const body = match[1] ?? '';
  if (/<(failure|error)\b/.test(body)) failed++;
  else if (!/<skipped\b/.test(body)) passed++;
}
if (passed + failed === 0) process.exit(1);
process.stdout.write(`${passed} ${failed}\n`);
