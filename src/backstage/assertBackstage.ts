import { createRequire } from 'node:module';
import { assertBackstageIsKnown } from './backstageInternals';

// The package's entry point imports this module before all others: they take Backstage's internals as they load.
assertBackstageIsKnown(createRequire(__filename));
