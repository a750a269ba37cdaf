import { writeFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { temporaryFolder } from './temporaryFolder';

/** The parts of Backstage's frontend API that the documents use. Its package is not installed here. */
const FRONTEND_API = `declare module '@backstage/core-plugin-api' {
  export type DiscoveryApi = { getBaseUrl(pluginId: string): Promise<string> };
  export type FetchApi = { fetch: typeof fetch };
  export type IdentityApi = {
    getProfileInfo(): Promise<{ email?: string }>;
    getBackstageIdentity(): Promise<{ userEntityRef: string }>;
    getCredentials(): Promise<{ token?: string }>;
    signOut(): Promise<void>;
  };
}`;

/** Compiles a module of the documents as a frontend does, and returns its exports and what the compiler reports. */
export function compileRecipe(recipe: string) {
  const folder = temporaryFolder();
  const files = Object.entries({ 'x.ts': recipe, 'api.d.ts': FRONTEND_API });
  const paths = files.map(([name, text]) => {
    const file = path.join(folder, name);
    writeFileSync(file, text);
    return file;
  });
  const program = ts.createProgram(paths, {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ES2022,
    lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'],
  });
  const problems = ts
    .getPreEmitDiagnostics(program)
    .map(({ messageText }) => messageText);
  const { outputText } = ts.transpileModule(recipe, {
    compilerOptions: {
      module: ts.ModuleKind.CommonJS,
      target: ts.ScriptTarget.ES2022,
    },
  });
  const exports: Record<string, any> = {};
  // eslint-disable-next-line no-new-func
  new Function('exports', outputText)(exports);
  return { problems, exports };
}
