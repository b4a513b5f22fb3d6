import '@fontsource-variable/inter/wght.css';
import '@fontsource-variable/jetbrains-mono/wght.css';
import './theme/tokens.css';
import './theme/base.css';
import { createRoot } from 'react-dom/client';
import { App } from './app.tsx';
import { commands } from './app-commands.ts';
import { Connection } from './bridge/connection.ts';
import {
  ConnectError,
  listenForPorts,
  openWebSocket,
  portChannel,
  type ReasonedChannel,
  takeToken,
} from './bridge/transports.ts';
import { client, lab, takeHello } from './state/lab.ts';
import { refuseDrops } from './ui/files.ts';

const token = takeToken(window.location, window.history, window.sessionStorage);
let port: MessagePort | undefined;
let portArrived: (() => void) | undefined;

/** The headless shell serves the page; the desktop shell hands over a port instead. */
const served = window.location.protocol.startsWith('http') && !navigator.userAgent.includes('Electron');

/** How long the page waits for the desktop shell before it says that it has no way to the lab. */
const PORT_TIMEOUT = 3000;

async function open(): Promise<ReasonedChannel> {
  if (import.meta.env.DEV && new URLSearchParams(window.location.search).has('fake')) {
    const { createFakeLab } = await import('./testing/fake-lab.ts');
    return createFakeLab({ traffic: true }).connect();
  }
  if (served && port === undefined) {
    const scheme = window.location.protocol === 'https:' ? 'wss' : 'ws';
    return openWebSocket(`${scheme}://${window.location.host}/lab`, token);
  }
  if (port === undefined) {
    await new Promise<void>((resolve) => {
      portArrived = resolve;
      setTimeout(resolve, PORT_TIMEOUT);
    });
    portArrived = undefined;
  }
  const taken = port;
  port = undefined;
  if (taken === undefined)
    throw new ConnectError('The desktop shell gave this window no way to the lab.', true);
  return portChannel(taken);
}

const connection = new Connection(client, open, {
  state: (state) => lab.setState({ connection: state }),
  hello: takeHello,
});

listenForPorts(window, (arrived) => {
  port = arrived;
  if (portArrived !== undefined) portArrived();
  else if (lab.getState().connection.kind !== 'connecting') void connection.start();
});

commands.register({
  id: 'lab.reconnect',
  title: 'Connect to the lab again',
  group: 'Lab',
  run: () => connection.start(),
});

refuseDrops(window);
createRoot(document.getElementById('root')!).render(<App />);
void connection.start();
