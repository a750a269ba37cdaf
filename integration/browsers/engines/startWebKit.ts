import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { freePort } from '../../../src/__tests__/__testUtils__/freePort';
import { until } from '../../http';
import type { Browser, Tab } from './Browser';

const TIME_MS = 10_000;

/** Sends a command of WebDriver, and returns its value. */
type Command = (method: string, path: string, body?: object) => Promise<any>;

/** Starts Debian's WebKitGTK. It needs a screen, which is Xvfb's. */
export async function startWebKit(): Promise<Browser> {
  const screen = spawn('Xvfb', ['-displayfd', '3', '-nolisten', 'tcp'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  });
  const [display] = await once(screen.stdio[3]!, 'data');
  const port = await freePort();
  const driver = spawn('WebKitWebDriver', [`--port=${port}`], {
    env: {
      ...process.env,
      DISPLAY: `:${String(display).trim()}`,
      // It resolves the names that `run` has written.
      LD_PRELOAD: 'libnss_wrapper.so',
    },
    stdio: 'ignore',
  });
  const command = commandsAt(`http://127.0.0.1:${port}`);
  await until('the driver is up', TIME_MS, () =>
    command('GET', '/status').then(
      () => true,
      () => false,
    ),
  );
  const close = async () => {
    driver.kill();
    screen.kill();
  };
  process.once('exit', close);
  return { openTab: () => openTab(command), close };
}

async function openTab(command: Command): Promise<Tab> {
  const timeouts = { pageLoad: TIME_MS, script: TIME_MS };
  const { sessionId } = await command('POST', '/session', {
    capabilities: { alwaysMatch: { acceptInsecureCerts: true, timeouts } },
  });
  const session = `/session/${sessionId}`;
  const post = (path: string, body = {}) =>
    command('POST', `${session}/${path}`, body);
  return {
    open: url => post('url', { url }),
    url: () => command('GET', `${session}/url`),
    evaluate: (run, ...args) =>
      post('execute/sync', { script: `return (${run})(...arguments)`, args }),
    async click(selector) {
      const found = await post('element', {
        using: 'css selector',
        value: selector,
      });
      await post(`element/${Object.values(found)[0]}/click`);
    },
    async followPopup() {
      let handles: string[] = [];
      await until('a popup', TIME_MS, async () => {
        handles = await command('GET', `${session}/window/handles`);
        return handles.length > 1;
      });
      await post('window', { handle: handles.at(-1) });
    },
    close: () => command('DELETE', session),
  };
}

function commandsAt(address: string): Command {
  return async (method, path, body) => {
    const answer = await fetch(address + path, {
      method,
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    });
    const { value } = await answer.json();
    if (!answer.ok) {
      // The driver names its two time-outs `timeout` and `script timeout`.
      const name = /timeout$/.test(value.error) ? 'TimeoutError' : 'Error';
      const message = `${path}: ${value.error}: ${value.message}`;
      throw Object.assign(new Error(message), { name });
    }
    return value;
  };
}
