import { randomUUID } from 'node:crypto';
import { difference, uniqBy } from 'lodash';
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

/** A line names no more requests. */
const MAX_NUMBERS = 20;

/** A running backend, what it is asked for, and where to report about it. */
interface Live extends LoadedConfig, ReturnType<typeof planFor> {
  ask: ReturnType<typeof createAsk>;
  base: URL;
  output: Lines;
}

/** @throws CliError unless `--times` is a number in its range, and belongs to `--live` */
export function readTimes({ live, times }: Options): number {
  if (times === undefined) {
    return DEFAULT_TIMES;
  }
  if (live === undefined) {
    throw new CliError('--times belongs to --live: give both, or neither');
  }
  const number = /^\d+$/.test(times) ? Number(times) : 0;
  if (number < 1 || number > MAX_TIMES) {
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
  const plan = planFor(loaded);
  const { plugins, asked, notSent, notKnown } = plan;
  const requests =
    times + (plugins.length && plugins.length + 1) + asked.length;
  const list = (expected: Expectation[]) =>
    expected.map(formatExpected).join(', ');
  output.out(
    announce(base, requests),
    notSent.length > 0 &&
      `Not asked, since only GET and HEAD of one path are sent: ${list(notSent)}`,
    notKnown.length > 0 &&
      `Not asked, since they hold variables that are not set: ${list(notKnown)}`,
  );
  const ask = createAsk(base, requests);
  const live = { ...loaded, ...plan, ask, base, output };
  const code = await askForGate(live, times);
  if (code !== 0) {
    output.out('No expectation is asked where the gate may be missing');
    return code;
  }
  return exitCodeFor([
    ...(await askForPlugins(live)),
    ...(await askExpected(live)),
  ]);
}

function planFor({ gate: { expect }, root }: LoadedConfig) {
  const known = expect.filter(each => !holdsMock(each));
  const asked = known.filter(
    ({ request, method }) => request !== undefined && isRead(method),
  );
  const elsewhere = pluginsElsewhere(root);
  return {
    /** The first one of each plugin that must be installed at this backend. */
    plugins: uniqBy(known, 'plugin').filter(
      ({ plugin }) => !elsewhere.includes(plugin),
    ),
    asked,
    notSent: difference(known, asked),
    notKnown: difference(expect, known),
  };
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
  for (const text of new Set(outcomes.map(outcome => outcome.text))) {
    const numbers = outcomes.flatMap((outcome, i) =>
      outcome.text === text ? [i + 1] : [],
    );
    const message = `${name} ${text} (${formatNumbers(numbers, times)})`;
    if (outcomes[numbers[0] - 1].code === 0) {
      output.out(message);
    } else {
      output.problem('error', { message });
    }
  }
  return exitCodeFor(outcomes.map(({ code }) => code));
}

/** Formats the numbers of the requests that have had one outcome. */
function formatNumbers(numbers: number[], times: number): string {
  if (numbers.length === times) {
    return `all of ${times} requests`;
  }
  const named = numbers.slice(0, MAX_NUMBERS).join(', ');
  const more = numbers.length > MAX_NUMBERS ? ', …' : '';
  return `${numbers.length} of ${times} requests: ${named}${more}`;
}

/** Finds the expectations of plugins that are not installed, with which a backend does not start. */
async function askForPlugins(live: Live): Promise<Outcome['code'][]> {
  const { ask, base, gate, locate, output, plugins } = live;
  const codes: Outcome['code'][] = [];
  const isInstalled = async (plugin: string) =>
    (await outcomeOf(ask(plugin, PLUGIN_KEYS_PATH))).status !== 404;
  // A proxy in front may hide the keys of all plugins.
  if (plugins.length > 0 && !(await isInstalled('auth'))) {
    output.out(
      'The plugins of expectations are not asked for, since the keys of the plugin auth are not found',
    );
    return [];
  }
  for (const expectation of plugins) {
    const { plugin, request } = expectation;
    if (!(await isInstalled(plugin))) {
      const key = request === undefined ? 'plugin' : 'request';
      const message = `${nameIn(gate, expectation)}.${key} names the plugin ${plugin}, which is not installed at ${nameOf(base)}: correct the id, or remove the expectation until the plugin is installed`;
      output.problem('error', { message, location: locate(message) });
      codes.push(1);
    }
  }
  return codes;
}

/** Sends the requests of the expectations as anybody may send them, each once. A public one may have any answer but the gate's. */
async function askExpected(live: Live): Promise<Outcome['code'][]> {
  const { ask, asked, gate, locate, output } = live;
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
      const message = `${nameIn(gate, expectation)}: ${formatExpected(expectation)} should be ${is}, and ${why}`;
      output.problem('error', { message, location: locate(message) });
      codes.push(code === 0 || isRedirect ? 1 : code);
    }
  }
  output.out(
    `${asked.length - codes.length} of ${asked.length} expectations that were asked hold there`,
  );
  return codes;
}

function nameIn(gate: LoadedConfig['gate'], expectation: Expectation): string {
  return `${CONFIG_KEY}.expect[${gate.expect.indexOf(expectation)}]`;
}
