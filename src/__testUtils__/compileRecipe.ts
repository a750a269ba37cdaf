import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import ts from 'typescript';

/** Compiles a module of the documents as a frontend does, and returns its exports and what the compiler reports. */
export function compileRecipe(recipe: string) {
  const file = path.join(mkdtempSync(path.join(tmpdir(), 'recipe-')), 'x.ts');
  writeFileSync(file, recipe);
  const program = ts.createProgram([file], {
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
