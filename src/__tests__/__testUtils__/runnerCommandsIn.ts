/** A command that GitHub's runner finds in the output of a step. */
export interface RunnerCommand {
  name: string;
  properties: Record<string, string>;
  data: string;
}

const NAMES =
  /^(add-mask|add-matcher|add-path|debug|echo|endgroup|error|group|internal-set-repo-path|notice|remove-matcher|save-state|set-env|set-output|stop-commands|warning)$/i;

/**
 * Finds the commands that GitHub's runner would execute, as its `ActionCommand` and `ActionCommandManager` did in August 2026. It
 * ends lines at more characters than the runner.
 */
export function runnerCommandsIn(output: string): RunnerCommand[] {
  const executed: RunnerCommand[] = [];
  let stopToken: string | undefined;
  const isKnown = (name: string) =>
    NAMES.test(name) || name.toLowerCase() === stopToken?.toLowerCase();
  for (const line of output.split(/\r\n|[\r\n\u0085\u2028\u2029]/)) {
    const command = [readColons(line), readBracket(line)].find(
      each => each && isKnown(each.name),
    );
    if (command && stopToken !== undefined) {
      const isEnd = command.name.toLowerCase() === stopToken.toLowerCase();
      stopToken = isEnd ? undefined : stopToken;
    } else if (command) {
      executed.push(command);
      stopToken = /^stop-commands$/i.test(command.name)
        ? command.data
        : undefined;
    }
  }
  return executed;
}

/** Reads `::name key=value,key=value::data`, at the beginning of a line but for white space. */
function readColons(line: string): RunnerCommand | undefined {
  const [, head, data] = line.match(/^[\s\u0085]*::(.*?)::(.*)$/s) ?? [];
  return head === undefined ? undefined : toCommand(head, ',', data);
}

/** Reads `##[name key=value;key=value]data`, anywhere in a line. */
function readBracket(line: string): RunnerCommand | undefined {
  const [, head, data] = line.match(/##\[(.*?)\](.*)$/s) ?? [];
  return head === undefined ? undefined : toCommand(head, ';', data);
}

function toCommand(head: string, separator: string, data: string) {
  const [name, ...rest] = head.split(' ');
  const properties = Object.fromEntries(
    rest
      .join(' ')
      .trim()
      .split(separator)
      .map(each => each.split(/=(.*)/s))
      .filter(([key, value]) => key && value)
      .map(([key, value]) => [key, decodeURIComponent(value)]),
  );
  return {
    name,
    properties,
    data: data.replace(/%(25|0A|0D)/g, decodeURIComponent),
  };
}
