/** The only requestAnimationFrame of the window: whatever draws asks here, and is drawn once a frame. */
const waiting = new Set<() => void>();
let requested = false;

/** ms that the last frame took in our own code. */
export let lastFrameTime = 0;

function run(): void {
  requested = false;
  const tasks = [...waiting];
  waiting.clear();
  const start = performance.now();
  for (const task of tasks) {
    try {
      task();
    } catch (error) {
      // One panel that fails to draw must not stop the others.
      reportError(error);
    }
  }
  lastFrameTime = performance.now() - start;
}

/** Runs `task` in the next frame; asking again before that changes nothing. */
export function onNextFrame(task: () => void): void {
  waiting.add(task);
  if (requested) return;
  requested = true;
  requestAnimationFrame(run);
}

/** True: it had been asked for. */
export function cancelFrame(task: () => void): boolean {
  return waiting.delete(task);
}

export function nextFrame(): Promise<void> {
  return new Promise((resolve) => onNextFrame(resolve));
}
