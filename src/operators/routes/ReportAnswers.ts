import { isEqual, memoize } from 'lodash';
import type { PolicyReport } from '../reports/describePolicy';
import type { ProcessReport } from '../reports/describeReplica';
import { Asked, renderPage } from '../page/renderPage';
import { inPieces, mapInPieces, Pieces } from '../pieces';
import type { RouteAccess } from './RouteAccess';

/** The caller that the route has let pass. */
type Caller = Awaited<ReturnType<RouteAccess['requireReader']>>;

/**
 * Makes the answers of one report, as JSON and as the page. The report is rendered once for all readers; the present state of the process,
 * such as its refusals and its number of locks, is added to each answer. A body is returned in parts.
 */
export class ReportAnswers {
  constructor(
    readonly report: PolicyReport,
    private readonly describeProcess: () => ProcessReport,
  ) {}

  async json(caller: Caller): Promise<readonly Buffer[]> {
    const policy = await this.#json(await this.#getsWhole(caller));
    return this.#keep(policy, this.describeProcess(), process => [
      Buffer.from(`${JSON.stringify(process).slice(0, -1)},`),
      policy,
    ]);
  }

  async page(
    caller: Caller,
    asked: Omit<Asked, 'process'>,
  ): Promise<readonly Buffer[]> {
    const render = await this.#page(await this.#getsWhole(caller));
    const process = this.describeProcess();
    return this.#keep(render, { ...asked, process }, own => [
      Buffer.from(`${render(own)}`),
    ]);
  }

  /** Returns the last body that was made with `shared`, unless `own` has changed since. */
  #keep<T>(shared: object, own: T, make: (own: T) => Buffer[]): Buffer[] {
    const last = this.#last.get(shared);
    if (last && isEqual(last.own, own)) {
      return last.body;
    }
    const body = make(own);
    this.#last.set(shared, { own, body });
    return body;
  }

  readonly #last = new Map<object, { own: unknown; body: Buffer[] }>();

  readonly #json = memoize((isWhole: boolean) =>
    inPieces(stringify(this.#describe(isWhole), this.describeProcess())),
  );

  readonly #page = memoize((isWhole: boolean) =>
    inPieces(renderPage(this.#describe(isWhole))),
  );

  /** Returns whether a caller gets the requests that worked. A rule needs their whole paths, and a path may hold a secret. */
  async #getsWhole(caller: Caller): Promise<boolean> {
    return this.report.reportOnly === undefined || caller.isOperator();
  }

  #describe(isWhole: boolean): PolicyReport {
    const { report } = this;
    return isWhole
      ? report
      : { ...report, reportOnly: { ...report.reportOnly!, worked: undefined } };
  }
}

/** Returns the members of a report as JSON, apart from those of the process, and the bracket after them. */
function* stringify(report: PolicyReport, process: object): Pieces<Buffer> {
  const members = Object.entries(report).filter(
    ([name, value]) => value !== undefined && !(name in process),
  );
  const texts = yield* mapInPieces(members, ([name, value], i) =>
    Buffer.from(`${i ? ',' : ''}"${name}":${JSON.stringify(value)}`),
  );
  return Buffer.concat([...texts, Buffer.from('}')]);
}
