/** Forwards one port from the main process to the page. No logic, nothing else exposed. */
import { ipcRenderer } from 'electron';

const PORT_CHANNEL = 'pciem-lab:port';

// The page's window; these types are the preload's alone.
declare const window: {
  addEventListener(type: 'DOMContentLoaded', listener: () => void): void;
  postMessage(message: unknown, target: string, transfer: readonly unknown[]): void;
};

ipcRenderer.on(PORT_CHANNEL, (event) => window.postMessage('pciem-lab-port', '*', event.ports));
window.addEventListener('DOMContentLoaded', () => ipcRenderer.send(PORT_CHANNEL));
