// Prints "passed failed" of a JUnit report, and below it each test that failed, with the beginning of why; exit status
// 1 when there is no report or it names no test.
import { readFileSync } from 'node:fs';

const MOST_LINES = 12;
const CHARACTERS = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' };

const plain = (value) => value.replace(/&(lt|gt|quot|apos|amp);/g, (_, name) => CHARACTERS[name]);
const attribute = (tag, name) => plain(new RegExp(`\\b${name}="([^"]*)"`).exec(tag)?.[1] ?? '');

/** The lines of a <failure/> or <error/> that say something; its text says more than its message. */
function why([tag, body]) {
  const said = plain(body.replace(/^\s*<!\[CDATA\[|\]\]>\s*$/g, '')).trim() || attribute(tag, 'message');
  return said.split('\n').filter((line) => line.trim() !== '');
}

let text;
try {
  text = readFileSync(process.argv[2], 'utf8');
} catch {
  process.exit(1);
}
let passed = 0;
let failed = 0;
const failures = [];
// A <testcase/> without a body passed; one with <failure> or <error> failed; a skipped one is neither.
for (const [, tag, body = ''] of text.matchAll(/(<testcase\b[^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g)) {
  const failure = /<(?:failure|error)\b[^>]*>([\s\S]*?)<\/(?:failure|error)>/.exec(body);
  if (failure) {
    failed++;
    const lines = why(failure).slice(0, MOST_LINES);
    failures.push(`failed: ${attribute(tag, 'classname')}: ${attribute(tag, 'name')}`);
    failures.push(...lines.map((line) => `    ${line}`));
  } else if (!/<skipped\b/.test(body)) passed++;
}
if (passed + failed === 0) process.exit(1);
process.stdout.write([`${passed} ${failed}`, ...failures, ''].join('\n'));
