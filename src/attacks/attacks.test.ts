import {
  AttackedBackend,
  startAttackedBackend,
} from '../__testUtils__/attackedBackend';
import { describeConnections } from './connections';
import { describeCredentials } from './credentials';
import { describeHeaders } from './headers';
import { describePaths } from './paths';
import { describeRules } from './rules';
import { describeSignatures } from './signatures';
import { describeVectors } from './vectors';

jest.setTimeout(60_000);

let backend: AttackedBackend;

// One for all: it starts in less time than the modules load, and is told of nothing between two requests.
beforeAll(async () => {
  backend = await startAttackedBackend();
});
afterAll(() => backend.stop());

describe('paths', () => describePaths(() => backend));
describe('rules', () => describeRules(() => backend));
describe('headers', () => describeHeaders(() => backend));
describe('signatures', () => describeSignatures(() => backend));
describe('vectors', () => describeVectors(() => backend));
describe('credentials', () => describeCredentials(() => backend));
describe('connections', () => describeConnections(() => backend));
