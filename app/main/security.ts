/** What the window may reach: its own files through a scheme of ours, and nothing else. */
import { readFile } from 'node:fs/promises';
import { extname, join, normalize, sep } from 'node:path';
import { app, protocol, session, shell } from 'electron';

const SCHEME = 'pciem-lab';
export const PAGE_URL = `${SCHEME}://window/index.html`;

const CONTENT_SECURITY_POLICY =
  "default-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self' data:; img-src 'self' data: blob:; " +
  "connect-src 'none'; worker-src 'self' blob:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'";

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
};

export function isOurPage(url: string): boolean {
  return url.startsWith(`${SCHEME}://window/`);
}

/** Before the application is ready. */
export function registerPage(renderer: string): void {
  protocol.registerSchemesAsPrivileged([
    { scheme: SCHEME, privileges: { standard: true, secure: true, supportFetchAPI: true } },
  ]);
  const root = normalize(renderer);
  void app.whenReady().then(() => {
    protocol.handle(SCHEME, async (request) => {
      const { pathname } = new URL(request.url);
      const file = normalize(join(root, decodeURIComponent(pathname)));
      if (!file.startsWith(root + sep)) return new Response(null, { status: 404 });
      try {
        return new Response(new Uint8Array(await readFile(file)), {
          headers: {
            'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream',
            'Content-Security-Policy': CONTENT_SECURITY_POLICY,
            'X-Content-Type-Options': 'nosniff',
          },
        });
      } catch {
        return new Response(null, { status: 404 });
      }
    });
    session.defaultSession.setPermissionRequestHandler((_contents, permission, decide) => {
      decide(permission === 'clipboard-sanitized-write' || permission === 'fullscreen');
    });
  });
}

/** No page navigates away, opens windows of ours, or embeds others. */
export function lockDown(): void {
  app.on('web-contents-created', (_event, contents) => {
    contents.on('will-navigate', (event, url) => {
      if (!isOurPage(url)) event.preventDefault();
    });
    contents.on('will-attach-webview', (event) => event.preventDefault());
    contents.setWindowOpenHandler(({ url }) => {
      // A link in the terminal: the browser's affair.
      if (/^https?:\/\//.test(url)) void shell.openExternal(url);
      return { action: 'deny' };
    });
  });
}
