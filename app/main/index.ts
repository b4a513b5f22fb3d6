/** Electron's shell: the lab in this process, one window, one port that carries the contract. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  app,
  BrowserWindow,
  dialog,
  type IpcMainEvent,
  ipcMain,
  MessageChannelMain,
  type MessagePortMain,
} from 'electron';
import type { Channel } from '#contract/wire.ts';
import type { LabEndpoint } from '../hosts/endpoint.ts';
import { errorBody } from '../hosts/error-body.ts';
import { HOSTS, type HostName, openLab } from '../server/run.ts';
import { buildMenu } from './menu.ts';
import { isOurPage, lockDown, PAGE_URL, registerPage } from './security.ts';
import { keepWindowState, windowState } from './window-state.ts';

const PORT_CHANNEL = 'pciem-lab:port';

function portChannel(port: MessagePortMain): Channel {
  return {
    send: (message) => port.postMessage(message),
    onMessage: (listener) =>
      port.on('message', ({ data }: { data: unknown }) => {
        listener(data instanceof ArrayBuffer ? data : String(data));
      }),
    onClose: (listener) => port.on('close', listener),
    close: () => port.close(),
  };
}

/** `--host=guest` or the environment; Electron keeps the first arguments for itself. */
function argument(name: string): string | undefined {
  const prefix = `--${name}=`;
  const given = process.argv.find((candidate) => candidate.startsWith(prefix));
  return given?.slice(prefix.length) ?? process.env[`PCIEM_LAB_${name.toUpperCase()}`];
}

function hostName(): HostName {
  const name = argument('host') ?? 'auto';
  if ((HOSTS as readonly string[]).includes(name)) return name as HostName;
  throw new Error(`--host=${name}: ${HOSTS.join(', ')} are accepted`);
}

function createWindow(lab: LabEndpoint): BrowserWindow {
  const state = windowState();
  const window = new BrowserWindow({
    ...state.bounds,
    minWidth: 900,
    minHeight: 600,
    show: false,
    backgroundColor: '#101418',
    title: 'PCIem Lab',
    webPreferences: {
      preload: join(import.meta.dirname, '../preload/index.cjs'),
      contextIsolation: true,
      nodeIntegration: false,
      sandbox: true,
      webSecurity: true,
      spellcheck: false,
    },
  });
  if (state.maximized) window.maximize();
  keepWindowState(window);
  window.once('ready-to-show', () => window.show());
  const give = (event: IpcMainEvent): void => {
    // Only the main frame of our own page gets a port; anything else is not ours.
    if (event.senderFrame !== window.webContents.mainFrame || !isOurPage(event.senderFrame.url)) return;
    const { port1, port2 } = new MessageChannelMain();
    lab.accept(portChannel(port1));
    port1.start();
    window.webContents.postMessage(PORT_CHANNEL, null, [port2]);
  };
  ipcMain.on(PORT_CHANNEL, give);
  window.on('closed', () => ipcMain.off(PORT_CHANNEL, give));
  void window.loadURL(PAGE_URL);
  return window;
}

app.enableSandbox();
registerPage(join(import.meta.dirname, '../renderer'));
lockDown();

if (!app.requestSingleInstanceLock()) {
  app.quit();
} else {
  void app.whenReady().then(async () => {
    let lab: LabEndpoint;
    try {
      lab = await openLab(
        {
          host: hostName(),
          device:
            argument('device') ??
            (argument('demo') !== undefined || existsSync('/dev/pciem') ? undefined : 'nvme'),
          terminal: true,
          kernel: argument('kernel'),
          demo: argument('demo'),
          say: (line) => process.stdout.write(`${line}\n`),
        },
        'electron',
      );
    } catch (error) {
      const { message, hint } = errorBody(error);
      dialog.showErrorBox('PCIem Lab cannot start', hint === undefined ? message : `${message}\n\n${hint}`);
      app.exit(1);
      return;
    }
    buildMenu();
    let window = createWindow(lab);
    app.on('second-instance', () => {
      if (window.isDestroyed()) window = createWindow(lab);
      window.focus();
    });
    app.on('activate', () => {
      if (BrowserWindow.getAllWindows().length === 0) window = createWindow(lab);
    });
    let closing = false;
    app.on('before-quit', (event) => {
      if (closing) return;
      closing = true;
      event.preventDefault();
      lab.close().finally(() => app.exit(0));
    });
    app.on('window-all-closed', () => app.quit());
  });
}
