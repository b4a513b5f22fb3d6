import { hexGroups } from './format.ts';

export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className = '',
  attributes: Readonly<Record<string, string>> = {},
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (className !== '') element.className = className;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

/** Sets text only where it differs, over what is there: drawing an unchanged row costs no layout. */
export function setText(element: Node, text: string): void {
  const { firstChild } = element;
  if (firstChild instanceof Text && firstChild === element.lastChild) {
    if (firstChild.data !== text) firstChild.data = text;
  } else if (element.textContent !== text) element.textContent = text;
}

/** Text of which hexadecimal numbers are set apart in groups; `textContent` stays the plain number. */
export function setHexText(element: HTMLElement, text: string): void {
  if (element.textContent === text) return;
  const groups = hexGroups(text);
  if (groups.length === 1) {
    setText(element, text);
    return;
  }
  const { children } = element;
  if (children.length !== groups.length) {
    element.replaceChildren(...groups.map(() => el('span', 'hex-group')));
  }
  for (let at = 0; at < groups.length; at++) setText(children[at]!, groups[at]!);
}

/** ms that a change stays lit before it fades; then `performance.now()` when each was lit. */
const LIT = 300;
const SWEEP = 100;
const lit = new Map<HTMLElement, number>();

function sweep(): void {
  const due = performance.now() - LIT;
  for (const [element, since] of lit) {
    if (since > due) continue;
    lit.delete(element);
    element.dataset.flash = 'off';
  }
  if (lit.size > 0) setTimeout(sweep, SWEEP);
}

/** Lights an element, which fades when it has not changed for a while: what changes all the time is lit, not animated. */
export function flash(element: HTMLElement): void {
  if (lit.size === 0) setTimeout(sweep, SWEEP);
  lit.set(element, performance.now());
  if (element.dataset.flash !== 'on') element.dataset.flash = 'on';
}

export function stopFlash(element: HTMLElement): void {
  if (lit.delete(element)) delete element.dataset.flash;
}
