/** What has the focus when one goes to a panel, or to a part of it. */
import { commands } from '#renderer/app-commands.ts';
import { nextFrame } from '#renderer/frame/scheduler.ts';
import type { PanelId } from './panels.tsx';

/** Frames that a panel has to come onto the screen: one that was closed is only made now, one behind a tab laid out. */
const FRAMES_TO_COME = 60;

/** Of a panel, the first that is there. */
const focusFirst: readonly string[] = [
  '.xterm-helper-textarea',
  '.vector-row[aria-current="true"] button:enabled',
  '.rows-viewport',
  '.panel-body [tabindex="0"]',
  '.panel-body button:enabled',
  '.panel-bar button:enabled',
];

/** The going to a panel that is under way; a later one ends it. */
let coming: { readonly there: Promise<void> } | undefined;

export function rootOf(id: PanelId): HTMLElement | null {
  return document.querySelector<HTMLElement>(`[data-testid="panel-${id}"]`);
}

export function focusPanel(id: PanelId, selectors = focusFirst): boolean {
  const root = rootOf(id);
  for (const selector of selectors) {
    const target = root?.querySelector<HTMLElement>(selector);
    target?.focus({ preventScroll: true });
    // What is disabled, or not laid out yet, does not take it.
    if (target !== null && target === document.activeElement) return true;
  }
  return false;
}

/** Tries now and in the frames to come; settles once the focus is there, or went elsewhere. */
function focusWhenThere(id: PanelId, focus: () => boolean, now: boolean): Promise<void> {
  let settle = () => {};
  const mine = {
    there: new Promise<void>((resolve) => {
      settle = resolve;
    }),
  };
  coming = mine;
  const before = document.activeElement;
  let frames = 0;
  const look = () => {
    if (coming !== mine) return settle();
    const { activeElement } = document;
    // Meanwhile one went to a field in it.
    const elsewhere = frames > 0 && activeElement !== before && rootOf(id)?.contains(activeElement);
    if (!elsewhere && !focus() && ++frames < FRAMES_TO_COME) return void requestAnimationFrame(look);
    coming = undefined;
    settle();
  };
  if (now) look();
  else requestAnimationFrame(look);
  return mine.there;
}

export function focusSoon(id: PanelId): void {
  void focusWhenThere(id, () => focusPanel(id), false);
}

/** Brings a panel to the front and the focus to a part of it; what is in a field is marked, to be written over. */
export async function goToPart(id: PanelId, selector: string): Promise<void> {
  await commands.run(`view.${id}`);
  const focus = () => {
    const there = focusPanel(id, [selector]);
    if (there && document.activeElement instanceof HTMLInputElement) document.activeElement.select();
    return there;
  };
  await focusWhenThere(id, focus, true);
}

/** Brings a panel to the front unless it is on the screen; the focus stays where it is in one that is. */
export async function bringForward(id: PanelId): Promise<void> {
  // Beside one that is maximized it is in the document, and has no room.
  const root = rootOf(id);
  if (root !== null && root.clientWidth > 0 && root.clientHeight > 0) return;
  await commands.run(`view.${id}`);
  await coming?.there;
  // Behind the end of this frame its parts know their sizes.
  await nextFrame();
  await nextFrame();
}
