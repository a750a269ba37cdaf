// Follows pages of the documents with the programs that they name: see `run`.
import { runChecks } from '../runChecks';
import { checkPrometheus } from './checkPrometheus';
import { checkProxies } from './checkProxies';

runChecks({ name: 'pages', limitMs: 90_000 }, async run => {
  await checkProxies(run);
  await checkPrometheus(run);
});
