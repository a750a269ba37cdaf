// Traces the calls of the gate's functions: each module of the gate that is loaded after this one is instrumented.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';

const SRC = path.resolve(__dirname, '../src');

/** The calls of the gate's functions during one request. */
export interface Trace {
  /** The files with a function that was called. */
  touched: Set<string>;
  /**
   * The calls from one file into another that is still waiting for the first, as `from -> to`: a callback makes such a call, and so
   * does a getter of an object that was passed down.
   */
  turns: string[];
}

let current: Trace | undefined;

/** Traces the calls that happen until a promise resolves. */
export async function traceCalls(run: () => Promise<void>): Promise<Trace> {
  const trace: Trace = { touched: new Set(), turns: [] };
  current = trace;
  await run();
  current = undefined;
  return trace;
}

/** Each function of the gate begins with a call of this one. */
function enterFunction(): void {
  if (current) {
    const [file, caller, ...others] = filesOnStack();
    current.touched.add(file);
    if (caller !== file && others.includes(file)) {
      current.turns.push(`${caller} -> ${file}`);
    }
  }
}

/** Returns the files of the functions of `src` that are running or waiting, the innermost first. */
function filesOnStack(): string[] {
  return new Error()
    .stack!.split('\n')
    .map(line => line.split(`${SRC}/`)[1]?.split(':')[0])
    .filter(file => file !== undefined);
}

/** Returns a source in which each function begins with a call of {@link enterFunction}. */
function instrument(text: string, file: string): string {
  const insertions: { at: number; code: string }[] = [];
  const visit = (node: ts.Node): void => {
    const { body } = node as ts.FunctionLikeDeclaration;
    if (ts.isFunctionLike(node) && body) {
      insertions.push(
        ...(ts.isBlock(body)
          ? [{ at: body.getStart() + 1, code: 'enterFunction();' }]
          : [
              { at: body.getStart(), code: '(enterFunction(), ' },
              { at: body.getEnd(), code: ')' },
            ]),
      );
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true));
  return insertions
    .sort((a, b) => b.at - a.at)
    .reduce(
      (result, { at, code }) => result.slice(0, at) + code + result.slice(at),
      text,
    );
}

// This replaces the loader of `nodeTransform.cjs`, because its output has a getter, which is a function too, for each export.
require.extensions['.ts'] = (module, file) => {
  const text = readFileSync(file, 'utf8');
  const isGate = file.startsWith(SRC) && !file.includes('__testUtils__');
  const source = isGate ? instrument(text, file) : text;
  const { outputText } = ts.transpileModule(source, {
    compilerOptions: {
      esModuleInterop: true,
      module: ts.ModuleKind.CommonJS,
      target: ts.ScriptTarget.ES2022,
    },
  });
  // `_compile` is not in the types of Node.
  (module as any)._compile(outputText, file);
};

Error.stackTraceLimit = Infinity;
Object.assign(globalThis, { enterFunction });
