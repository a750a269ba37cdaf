// Follows pages of the documents with the programs that they name: see `run`.
import { runChecks } from '../../runChecks';
import { checkPrometheus } from './checkPrometheus';
import { checkProxies } from './checkProxies';
import { checkPublicPage } from './checkPublicPage';

runChecks({ name: 'pages', limitMs: 150_000 }, async run => {
  await checkProxies(run);
  await checkPublicPage(run);
  await checkPrometheus(run);
});
