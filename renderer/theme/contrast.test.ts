import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const css = readFileSync(new URL('./tokens.css', import.meta.url), 'utf8');

function tokensOf(theme: string): Map<string, string> {
  const block = css.match(new RegExp(`data-theme="${theme}"\\] \\{([^}]*)\\}`))?.[1] ?? '';
  return new Map([...block.matchAll(/(--[\w-]+): (#[0-9a-f]{6});/g)].map((m) => [m[1]!, m[2]!]));
}

function luminance(color: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const c = Number.parseInt(color.slice(at, at + 2), 16) / 255;
    return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
}

function contrast(a: string, b: string): number {
  const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (high! + 0.05) / (low! + 0.05);
}

const text = ['text', 'text-2', 'accent', 'read', 'write', 'irq', 'dma', 'config', 'error', 'warn', 'note'];
const devices = [1, 2, 3, 4, 5, 6, 7, 8].map((n) => `device-${n}`);

test.each(['dark', 'light', 'contrast'])(
  'every text colour of %s reaches 4.5:1 on every surface',
  (theme) => {
    const tokens = tokensOf(theme);
    const poor: string[] = [];
    for (const surface of ['bg', 'surface', 'raised', 'hover', 'selection']) {
      for (const name of [...text, ...devices]) {
        const ratio = contrast(tokens.get(`--${name}`)!, tokens.get(`--${surface}`)!);
        if (ratio < 4.5) poor.push(`${name} on ${surface}: ${ratio.toFixed(2)}`);
      }
    }
    for (const name of ['text']) {
      const ratio = contrast(tokens.get(`--${name}`)!, tokens.get('--flash')!);
      if (ratio < 4.5) poor.push(`${name} on flash: ${ratio.toFixed(2)}`);
    }
    const button = contrast(tokens.get('--on-accent')!, tokens.get('--accent')!);
    if (button < 4.5) poor.push(`on-accent: ${button.toFixed(2)}`);
    expect(poor).toEqual([]);
  },
);
