/**
 * A page in Chromium, driven by the little of the DevTools protocol that a benchmark needs. Playwright would ask to be told of
 * every message of every socket, which makes a message of a megabyte twenty times as dear.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';
import { WebSocket } from 'ws';
import { browserBinary } from '../fixtures/shell.ts';

const START_TIMEOUT = 30_000;
const VIEWPORT = { width: 1440, height: 900 };

interface Reply {
  readonly id?: number;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

interface Evaluated {
  readonly result: { readonly value?: unknown };
  readonly exceptionDetails?: {
    readonly text: string;
    readonly exception?: { readonly description?: string };
  };
}

export class BenchPage {
  readonly #browser: ChildProcess;
  readonly #profile: string;
  readonly #socket: WebSocket;
  readonly #asked = new Map<number, (reply: Reply) => void>();
  #last = 0;

  private constructor(browser: ChildProcess, profile: string, socket: WebSocket) {
    this.#browser = browser;
    this.#profile = profile;
    this.#socket = socket;
    socket.on('message', (data) => {
      const reply = JSON.parse(String(data)) as Reply;
      if (reply.id === undefined) return;
      this.#asked.get(reply.id)?.(reply);
      this.#asked.delete(reply.id);
    });
  }

  /** A browser with an empty page of 1440 x 900. */
  static async open(): Promise<BenchPage> {
    const profile = mkdtempSync(path.join(tmpdir(), 'pciem-lab-bench-'));
    const browser = spawn(
      browserBinary ?? chromium.executablePath(),
      [
        '--headless=new',
        '--remote-debugging-port=0',
        `--user-data-dir=${profile}`,
        `--window-size=${VIEWPORT.width},${VIEWPORT.height}`,
        '--no-first-run',
        '--disable-background-timer-throttling',
        '--disable-backgrounding-occluded-windows',
        '--disable-renderer-backgrounding',
        ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
        'about:blank',
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    const address = await new Promise<string>((resolve, reject) => {
      const timer = setTimeout(() => {
        browser.kill('SIGKILL');
        reject(new Error('the browser did not start in 30 s'));
      }, START_TIMEOUT);
      createInterface({ input: browser.stderr! }).on('line', (line) => {
        const found = /DevTools listening on ws:\/\/([^/]+)\//.exec(line);
        if (found === null) return;
        clearTimeout(timer);
        resolve(found[1]!);
      });
    });
    const targets = (await (await fetch(`http://${address}/json/list`)).json()) as {
      type: string;
      webSocketDebuggerUrl: string;
    }[];
    const socket = new WebSocket(targets.find(({ type }) => type === 'page')!.webSocketDebuggerUrl);
    await new Promise((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    const page = new BenchPage(browser, profile, socket);
    await page.send('Page.enable');
    // Conditions are handed to the page as text.
    await page.send('Page.setBypassCSP', { enabled: true });
    await page.send('Emulation.setDeviceMetricsOverride', {
      ...VIEWPORT,
      deviceScaleFactor: 1,
      mobile: false,
    });
    return page;
  }

  send(method: string, params: object = {}): Promise<unknown> {
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      this.#asked.set(id, ({ result, error }) => {
        if (error === undefined) resolve(result);
        else reject(new Error(`${method}: ${error.message}`));
      });
      this.#socket.send(JSON.stringify({ id, method, params }));
    });
  }

  /** Runs in every page that is opened from now on, before anything else. */
  async before(script: () => void): Promise<void> {
    await this.send('Page.addScriptToEvaluateOnNewDocument', { source: `(${script})()` });
  }

  async goto(url: string): Promise<void> {
    await this.send('Page.navigate', { url });
  }

  /** Runs `action` in the page. */
  evaluate<R>(action: () => R | Promise<R>): Promise<R>;
  evaluate<A, R>(action: (argument: A) => R | Promise<R>, argument: A): Promise<R>;
  async evaluate<A, R>(action: (argument: A) => R | Promise<R>, argument?: A): Promise<R> {
    return this.run<R>(`(${action})(${argument === undefined ? '' : JSON.stringify(argument)})`);
  }

  async run<R>(expression: string): Promise<R> {
    const { result, exceptionDetails } = (await this.send('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
    })) as Evaluated;
    if (exceptionDetails !== undefined)
      throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value as R;
  }

  /** Until the expression is true in the page. */
  async until(expression: string, timeout = 60_000): Promise<void> {
    const end = performance.now() + timeout;
    // A page that is being opened may go away while it is asked.
    while (!(await this.run<boolean>(`Boolean(${expression})`).catch(() => false))) {
      if (performance.now() > end) throw new Error(`not in ${timeout / 1000} s: ${expression}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** Until an element is on the page that has this test id. */
  shown(testId: string): Promise<void> {
    return this.until(`document.querySelector('[data-testid="${testId}"]')?.checkVisibility()`);
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#browser.once('exit', resolve));
    await this.send('Browser.close').catch(() => this.#browser.kill('SIGKILL'));
    await ended;
    this.#socket.close();
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }
}
