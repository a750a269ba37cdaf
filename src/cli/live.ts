import { randomUUID } from 'node:crypto';
import { groupBy, map, partition, reject, uniqBy } from 'lodash';
import { CONFIG_KEY } from '../settings/read/readApiGateConfig';
import { Expectation, formatExpected } from '../settings/read/readExpectations';
import { isRead, PLUGIN_KEYS_PATH } from '../gate/read/requestLine';
import { CliError, Options } from './Command';
import { announce, createAsk, nameOf, prefixOf, readUrl } from './get';
import { LoadedConfig, pluginsElsewhere } from './loadConfig';
import { holdsMock } from './mockEnv';
import { exitCodeFor, Outcome, outcomeOf } from './Outcome';
import type { Lines } from './output';

/** No plugin has this name, so that its path is 404 without the gate, and in report-only. */
const ABSENT = 'api-gate-check';

const DEFAULT_TIMES = 20;
const MAX_TIMES = 1000;

/** A running backend, and where to report about it. */
interface Live {
  ask: ReturnType<typeof createAsk>;
  base: URL;
  output: Lines;
  report(expectation: Expectation, text: string): void;
}

export function readTimes({ live, times }: Options): number {
  if (times !== undefined && live === undefined) {
    throw new CliError('--times belongs to --live: give both, or neither');
  }
  const number = Number(times ?? DEFAULT_TIMES);
  if (!(Number.isInteger(number) && number >= 1 && number <= MAX_TIMES)) {
    throw new CliError(
      `--times must be a whole number from 1 to ${MAX_TIMES}, such as ${DEFAULT_TIMES}`,
    );
  }
  return number;
}

/**
 * Asks a running backend without a credential: whether the gate refuses a plugin that is not installed, and then whether the
 * expectations hold that a GET or HEAD request can show. It sends no other method: where the gate is missing, an anonymous POST or
 * DELETE would do what the gate is there to prevent.
 *
 * @returns the exit code: 1 if something else than the gate answers, or if an expectation does not hold; 2 if an answer shows neither
 * @throws CliError if the first answer shows neither
 */
export async function checkLive(
  address: string,
  times: number,
  loaded: LoadedConfig,
  output: Lines,
): Promise<number> {
  const base = readUrl(address);
  const elsewhere = pluginsElsewhere(loaded.root);
  const [notKnown, known] = partition(loaded.gate.expect, holdsMock);
  const [asked, notSent] = partition(
    known,
    ({ request, method }) => request !== undefined && isRead(method),
  );
  // The first expectation of each plugin that must be installed at this backend.
  const ofPlugins = reject(uniqBy(known, 'plugin'), ({ plugin }) =>
    elsewhere.includes(plugin),
  );
  const requests =
    times + (ofPlugins.length && ofPlugins.length + 1) + asked.length;
  const list = (why: string, expected: Expectation[]) =>
    expected.length > 0 &&
    `Not asked, since ${why}: ${expected.map(formatExpected).join(', ')}`;
  output.out(
    announce(base, requests),
    list('only GET and HEAD of one path are sent', notSent),
    list('they hold variables that are not set', notKnown),
  );
  const report = (expectation: Expectation, text: string) => {
    const i = loaded.gate.expect.indexOf(expectation);
    const message = `${CONFIG_KEY}.expect[${i}]${text}`;
    output.problem('error', { message, location: loaded.locate(message) });
  };
  const live = { ask: createAsk(base, requests), base, output, report };
  const code = await askForGate(live, times);
  if (code !== 0) {
    output.out('No expectation is asked where the gate may be missing');
    return code;
  }
  return exitCodeFor([
    ...(await askForPlugins(live, ofPlugins)),
    ...(await askExpected(live, asked)),
  ]);
}

/** Sends one request several times, since a load balancer may have one replica without the gate. Returns the exit code. */
async function askForGate({ ask, base, output }: Live, times: number) {
  const name = `GET ${prefixOf(base)}${ABSENT}`;
  const outcomes: Outcome[] = [];
  for (let i = 0; i < times; i += 1) {
    // No cache has an answer to a query that was never sent before.
    outcomes.push(await outcomeOf(ask(ABSENT, `?${randomUUID()}`)));
    if (outcomes[0].code === 2) {
      throw new CliError(`${name} ${outcomes[0].text}`);
    }
  }
  for (const [text, same] of Object.entries(groupBy(outcomes, 'text'))) {
    const numbers = same.map(outcome => outcomes.indexOf(outcome) + 1);
    const which =
      numbers.length === times
        ? `all of ${times} requests`
        : `${numbers.length} of ${times} requests: ${numbers.join(', ')}`;
    const message = `${name} ${text} (${which})`;
    if (same[0].code === 0) {
      output.out(message);
    } else {
      output.problem('error', { message });
    }
  }
  return exitCodeFor(map(outcomes, 'code'));
}

/** Finds the expectations of plugins that are not installed, with which a backend does not start. */
async function askForPlugins(live: Live, expected: Expectation[]) {
  const { ask, base, output, report } = live;
  const codes: Outcome['code'][] = [];
  const isInstalled = async (plugin: string) =>
    (await outcomeOf(ask(plugin, PLUGIN_KEYS_PATH))).status !== 404;
  // A proxy in front may hide the keys of all plugins.
  if (expected.length > 0 && !(await isInstalled('auth'))) {
    output.out(
      'The plugins of expectations are not asked for, since the keys of the plugin auth are not found',
    );
    return [];
  }
  for (const expectation of expected) {
    const { plugin, request } = expectation;
    if (!(await isInstalled(plugin))) {
      const key = request === undefined ? 'plugin' : 'request';
      codes.push(1);
      report(
        expectation,
        `.${key} names the plugin ${plugin}, which is not installed at ${nameOf(base)}: correct the id, or remove the expectation until the plugin is installed`,
      );
    }
  }
  return codes;
}

/** Sends the requests of the expectations as anybody may send them, each once. A public one may have any answer but the gate's. */
async function askExpected(live: Live, asked: Expectation[]) {
  const { ask, output, report } = live;
  const codes: Outcome['code'][] = [];
  for (const expectation of asked) {
    const { plugin, path, is } = expectation;
    const method = expectation.method === 'HEAD' ? 'HEAD' : 'GET';
    const { code, status, text } = await outcomeOf(
      ask(plugin, path === '/' ? '' : path, method),
    );
    if (status === undefined || (code === 0) !== (is === 'closed')) {
      // The gate is there, and does not redirect.
      const isRedirect = status !== undefined && status >= 300 && status < 400;
      const why = isRedirect ? `answers ${status}` : text;
      const expected = formatExpected(expectation);
      report(expectation, `: ${expected} should be ${is}, and ${why}`);
      codes.push(code === 0 || isRedirect ? 1 : code);
    }
  }
  output.out(
    `${asked.length - codes.length} of ${asked.length} expectations that were asked hold there`,
  );
  return codes;
}
