import { AsyncLocalStorage } from 'node:async_hooks';
import { Server } from 'node:http';
import {
  Attributes,
  Context,
  context,
  ContextManager,
  ROOT_CONTEXT,
  Span,
  trace,
} from '@opentelemetry/api';

/** The part of a span that the gate may use. Every other use of it fails. */
class RecordedSpan {
  readonly attributes: Attributes = {};
  constructor(private readonly isSampled: boolean) {}

  isRecording(): boolean {
    return this.isSampled;
  }

  setAttributes(attributes: Attributes): this {
    if (!this.isSampled) {
      throw new Error('The span is not recording');
    }
    Object.assign(this.attributes, attributes);
    return this;
  }
}

/**
 * Sets up OpenTelemetry with a context that follows asynchronous calls, and makes a span for each request of an HTTP server in
 * this process, active while its handlers run: this is how the HTTP instrumentation of OpenTelemetry does it. Call it before the
 * server starts.
 */
export function recordSpans() {
  const storage = new AsyncLocalStorage<Context>();
  const manager: ContextManager = {
    active: () => storage.getStore() ?? ROOT_CONTEXT,
    with: (active, fn, thisArg, ...args) =>
      storage.run(active, () => fn.apply(thisArg as never, args)),
    bind: (active, target) =>
      typeof target === 'function'
        ? (((...args: unknown[]) =>
            storage.run(active, () => target(...args))) as typeof target)
        : target,
    enable: () => manager,
    disable: () => manager,
  };
  context.setGlobalContextManager(manager);
  const spans: RecordedSpan[] = [];
  const { emit } = Server.prototype;
  const recorder = {
    mode: 'sampled' as 'sampled' | 'not sampled' | 'off',
    /** Returns the attributes of the spans since the last call. */
    take: () => spans.splice(0).map(({ attributes }) => attributes),
    stop() {
      Server.prototype.emit = emit;
      context.disable();
    },
  };
  Server.prototype.emit = function emitInSpan(event: string, ...args: any[]) {
    const run = () => Reflect.apply(emit, this, [event, ...args]);
    if (event !== 'request' || recorder.mode === 'off') {
      return run();
    }
    const span = new RecordedSpan(recorder.mode === 'sampled');
    spans.push(span);
    return context.with(
      trace.setSpan(ROOT_CONTEXT, span as unknown as Span),
      run,
    );
  };
  return recorder;
}
