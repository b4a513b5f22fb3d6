/** The only requestAnimationFrame of the window: whatever draws asks here, and is drawn once a frame. */
const waiting = new Set<() => void>();
/** Ran in this frame. */
const ran = new Set<() => void>();
let requested = false;
let running = false;

/** ms that the last frame took in our own code. */
export let lastFrameTime = 0;

function run(): void {
  requested = false;
  running = true;
  const start = performance.now();
  // A set hands out what is added to it meanwhile: what follows from what is drawn is drawn in the same frame.
  for (const task of waiting) {
    if (ran.has(task)) continue;
    waiting.delete(task);
    ran.add(task);
    try {
      task();
    } catch (error) {
      // One panel that fails to draw must not stop the others.
      reportError(error);
    }
  }
  ran.clear();
  running = false;
  lastFrameTime = performance.now() - start;
  if (waiting.size > 0) request();
}

function request(): void {
  if (requested) return;
  requested = true;
  requestAnimationFrame(run);
}

/**
 * Runs `task` in the next frame; asking again before that changes nothing. Asked for by another task of a frame, it
 * runs in that frame, unless it did already.
 */
export function onNextFrame(task: () => void): void {
  waiting.add(task);
  if (!running) request();
}

export function cancelFrame(task: () => void): void {
  waiting.delete(task);
}

export function nextFrame(): Promise<void> {
  return new Promise((resolve) => onNextFrame(resolve));
}
