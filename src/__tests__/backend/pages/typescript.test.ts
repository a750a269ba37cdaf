import path from 'node:path';
import { createBackendModule } from '@backstage/backend-plugin-api';
import type { BackendFeature } from '@backstage/backend-plugin-api';
import permissionPlugin from '@backstage/plugin-permission-backend';
// It comes with the permission backend.
// eslint-disable-next-line @backstage/no-undeclared-imports
import { policyExtensionPoint } from '@backstage/plugin-permission-node/alpha';
import ts from 'typescript';
import * as apiGate from '../../..';
import { cookieIssuer } from '../../__testUtils__/cookieIssuer';
import {
  blocksAfter,
  codeIn,
  readDocument,
  root,
  tableRows,
} from '../../__testUtils__/documents';
import { recordingPlugin } from '../../__testUtils__/recordingPlugin';
import { bearer, REVOCATIONS } from '../../__testUtils__/requestParts';
import { runSnippet } from '../../__testUtils__/runSnippet';
import { signedBackends } from '../../__testUtils__/signedBackends';

const PAGE = 'docs/reference/typescript.md';
const PACKAGE = 'backstage-plugin-auth-backend-module-api-gate';
const [policy] = blocksAfter(PAGE, 'Permissions', 'ts');
const [noCookie, ownIssuer] = blocksAfter(PAGE, "The cookie's issuer", 'ts');

const backends = signedBackends();
const run = (code: string, result: string) =>
  runSnippet(
    code,
    {
      require: (name: string) => (name === PACKAGE ? apiGate : require(name)),
    },
    result,
  );

/** Returns the errors that the compiler of a new Backstage app finds in files. */
function errorsIn(files: Map<string, string>): string[] {
  const config = ts.readConfigFile(
    require.resolve('@backstage/cli/config/tsconfig.json'),
    ts.sys.readFile,
  ).config.compilerOptions;
  const { options } = ts.convertCompilerOptionsFromJson(
    {
      ...config,
      incremental: false,
      noEmit: true,
      types: ['node'],
      paths: { [PACKAGE]: [path.join(root, 'src/index.ts')] },
    },
    root,
  );
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = name => files.has(name) || fileExists(name);
  host.getSourceFile = (name, version, ...others) =>
    files.has(name)
      ? ts.createSourceFile(name, files.get(name)!, version)
      : getSourceFile(name, version, ...others);
  const program = ts.createProgram([...files.keys()], options, host);
  // The diagnostics of all other files would take half a minute.
  return [...files.keys()]
    .map(name => program.getSourceFile(name)!)
    .flatMap(file => [
      ...program.getSyntacticDiagnostics(file),
      ...program.getSemanticDiagnostics(file),
    ])
    .map(({ messageText }) =>
      ts.flattenDiagnosticMessageText(messageText, ' '),
    );
}

describe('docs/reference/typescript.md', () => {
  it('compiles in a new Backstage app', () => {
    const blocks = [policy, noCookie, ownIssuer];
    const fileOf = (i: number) => path.join(root, `src/page${i}.ts`);
    const files = new Map(blocks.map((block, i) => [fileOf(i), block]));
    expect(errorsIn(files)).toEqual([]);
  });

  const hello = () => recordingPlugin('hello').feature;
  /** Sends a user's bearer token, and returns the cookies of the answer. */
  async function cookiesWith(feature: BackendFeature) {
    const { get, guest } = await backends.start({
      features: [hello(), feature],
    });
    const token = await guest();
    const { status, headers } = await get('/api/hello/x', bearer(token));
    expect(status).toBe(200);
    return headers['set-cookie']?.replace(token, '<token>');
  }

  it('has a module that turns issuing off', async () => {
    expect(await cookiesWith(await run(noCookie, 'exports.default'))).toBe(
      undefined,
    );
  });

  it('has an issuer whose cookie the browser gets', async () => {
    const issuer = await run(ownIssuer, 'exports.issuer');
    expect(await cookiesWith(cookieIssuer('own', issuer))).toMatch(
      /^token=<token>; Path=\/; Expires=[^;]+; HttpOnly; Secure$/,
    );
  });

  it('names the fields that an issuer gets', () => {
    const [, body] = readDocument('src/gate/cookie/CookieIssuer.ts').text.match(
      /^export interface CookieIssuerContext \{\n(.*?)^\}/ms,
    )!;
    const fields = [...body.matchAll(/^ {2}(\w+):/gm)].map(([, name]) => name);
    const rows = tableRows(PAGE, ['Field', 'What it is']);
    expect(rows.flatMap(([field]) => codeIn(field)).sort()).toEqual(
      fields.sort(),
    );
  });

  it('has a policy by which an operator ends no session of others', async () => {
    const Policy = await run(policy, 'exports.MyPolicy');
    const withPolicy = createBackendModule({
      pluginId: 'permission',
      moduleId: 'page',
      register(reg) {
        reg.registerInit({
          deps: { permission: policyExtensionPoint },
          init: async ({ permission }) => permission.setPolicy(new Policy()),
        });
      },
    });
    const operator = 'user:development/guest';
    const { post, get, guest } = await backends.start({
      features: [permissionPlugin, withPolicy],
      config: { permission: { enabled: true } },
      apiGate: { operators: [operator] },
    });
    const token = await guest();
    const end = async (userEntityRef: string) =>
      (await post(REVOCATIONS, token, { userEntityRef })).status;
    expect(await end('user:default/jane')).toBe(403);
    const report = await get('/api/auth/api-gate/v1/policy', bearer(token));
    expect(report.status).toBe(200);
    // Users need no permission for themselves.
    expect(await end(operator)).toBe(201);
  });
});
