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

/** Sets text only where it differs: drawing an unchanged row costs no layout. */
export function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Text of which hexadecimal numbers are set apart in groups; `textContent` stays the plain number. */
export function setHexText(element: HTMLElement, text: string): void {
  if (element.textContent === text) return;
  const groups = hexGroups(text);
  if (groups.length === 1) {
    element.textContent = text;
    return;
  }
  element.replaceChildren(
    ...groups.map((group) => {
      const span = el('span', 'hex-group');
      span.textContent = group;
      return span;
    }),
  );
}

const flashing = new WeakMap<HTMLElement, Animation>();
const frames = [{ backgroundColor: 'var(--flash)' }, { backgroundColor: 'transparent' }];

/** Once, fading in 600 ms. An animation object starts anew without a layout, which a class would not. */
export function flash(element: HTMLElement): void {
  const running = flashing.get(element);
  if (running !== undefined) {
    running.currentTime = 0;
    running.play();
  } else if (typeof element.animate === 'function') {
    flashing.set(element, element.animate(frames, { duration: 600, easing: 'ease-out' }));
  }
}

export function stopFlash(element: HTMLElement): void {
  flashing.get(element)?.finish();
}
