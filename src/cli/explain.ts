import { pick } from 'lodash';
import { readExternalSubjects } from '../settings/read/readExternalTokens';
import {
  explainInWords,
  readRequest,
} from '../operators/reports/explainInWords';
import { ConfiguredPolicy } from '../settings/ConfiguredPolicy';
import { CliError, Command } from './Command';
import { loadConfig } from './loadConfig';

export const explain: Command = {
  help: `api-gate explain [--config FILE]... 'METHOD /api/PLUGIN/PATH'

Prints whether a request without a credential passes the gate, why, and which rule would open it. The
path is the one that the client sends, with its escapes; WEBSOCKET stands for an upgrade.

  --config FILE      as for the backend, in its order; default: app-config.yaml
  --subject NAME     adds whether a valid external token of that subject passes: no token is needed
  --exit-code        exits with 1 if the gate refuses the request once it enforces
  --json             prints the result as one JSON object

Exit code: 0; 1 if no file has auth.apiGate, or with --exit-code if it is refused; 2 if it can not be explained.`,
  hasArguments: true,
  async run(options, output, args) {
    const request = readRequest(args.join(' '));
    if (!request?.target.startsWith('/')) {
      throw new CliError(
        "Write one request in quotes, with its method in upper case, such as 'GET /api/catalog/entities'",
      );
    }
    const loaded = await loadConfig(options, output);
    const { gate, missing, notChecked, placeOf, root } = loaded;
    const explained = explainInWords(request, options.subject, {
      policy: new ConfiguredPolicy(gate),
      externalSubjects: readExternalSubjects(root),
      closed: [],
      placeOf,
    });
    if ('error' in explained) {
      throw new CliError(explained.error);
    }
    const { answer, lines, refusal } = explained;
    const passes = options.subject
      ? !refusal
      : answer.anonymous !== 'needs-credential';
    output.add({
      ...pick(answer, 'anonymous', 'because'),
      // Whoever asks about a token does not mean to make the path public.
      opening: options.subject ? undefined : answer.opening,
      ...{ refusal, passes, lines },
    });
    output.error(missing);
    output.out(
      ...lines,
      notChecked.length > 0 &&
        `Left out, since they hold variables: ${notChecked.join(', ')}`,
    );
    return missing || (options['exit-code'] && !passes) ? 1 : 0;
  },
};
