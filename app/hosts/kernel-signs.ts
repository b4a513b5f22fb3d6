/** Lines of a kernel log that a healthy kernel never prints. */

interface Sign {
  name: string;
  pattern: RegExp;
}

const SIGNS: Sign[] = [
  { name: 'panic', pattern: /Kernel panic - not syncing/ },
  { name: 'oops', pattern: /\bOops(:| - )/ },
  { name: 'BUG', pattern: /\bBUG:|kernel BUG at / },
  {
    name: 'fault',
    pattern:
      /general protection fault|unable to handle |invalid opcode:|divide error:|double fault|stack segment/i,
  },
  { name: 'lockup', pattern: /soft lockup|hard LOCKUP/i },
  { name: 'hung task', pattern: /blocked for more than \d+ seconds/ },
  {
    name: 'RCU stall',
    pattern: /\brcu: .*(detected stalls|self-detected stall)|rcu_\w+ .*(detected stalls|self-detected stall)/,
  },
  { name: 'KASAN', pattern: /\bKASAN:|\bKFENCE:|\bUBSAN:/ },
  { name: 'refcount', pattern: /refcount_t: |\brefcount_t:/ },
  { name: 'list corruption', pattern: /list_(add|del) corruption|corrupted list/ },
  {
    name: 'locking',
    pattern:
      /possible (circular|recursive) locking|inconsistent lock state|scheduling while atomic|sleeping function called/,
  },
  { name: 'memory', pattern: /Bad page (state|map)|page allocation failure|Out of memory:|oom-kill:/ },
  { name: 'interrupt', pattern: /nobody cared|Disabling IRQ #/ },
  { name: 'DMA', pattern: /DMA-API:.*(WARN|error|device driver)/ },
  { name: 'WARNING', pattern: /\bWARNING: / },
];

/** Lines that look like trouble and say only how the machine is set up. */
const HARMLESS = [/Spectre V2 : WARNING/, /RETBleed: WARNING/, /^Command line:|Kernel command line:/];

/** What kind of trouble a line of the kernel's log tells of; undefined: none. */
export function kernelSign(line: string): string | undefined {
  const sign = SIGNS.find(({ pattern }) => pattern.test(line));
  return sign === undefined || HARMLESS.some((pattern) => pattern.test(line)) ? undefined : sign.name;
}
