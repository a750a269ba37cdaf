import { memoize } from 'lodash';
import type { PolicyReport } from '../observability/describePolicy';
import type { ProcessReport } from '../observability/describeReplica';
import { Asked, renderPage } from '../page/renderPage';
import { inPieces, mapInPieces, Pieces } from '../util/pieces';

/**
 * The answers that have one report: as JSON, and as the page. Each is made once for all of its readers, apart from what the process has in
 * its memory, such as its refusals and the number of its locks, which each reader gets as it is now.
 */
export class ReportAnswers {
  constructor(
    readonly report: PolicyReport,
    private readonly describeProcess: () => ProcessReport,
  ) {}

  /** Whether operators and readers get the same. */
  get isSame(): boolean {
    return this.report.reportOnly === undefined;
  }

  /** Returns the parts of the body. */
  async json(isOperator: boolean): Promise<Buffer[]> {
    const policy = await this.#json(isOperator);
    const process = JSON.stringify(this.describeProcess());
    return [Buffer.from(`${process.slice(0, -1)},`), policy];
  }

  /** Returns the parts of the body. */
  async page(
    isOperator: boolean,
    asked: Omit<Asked, 'process'>,
  ): Promise<Buffer[]> {
    const addTo = await this.#page(isOperator);
    return addTo({ ...asked, process: this.describeProcess() });
  }

  readonly #json = memoize((isOperator: boolean) =>
    inPieces(stringify(this.#shownTo(isOperator), this.describeProcess())),
  );

  readonly #page = memoize((isOperator: boolean) =>
    inPieces(renderPage(this.#shownTo(isOperator))),
  );

  /** Leaves out the requests that worked for a reader: a rule needs their whole paths, and a path may hold a secret. */
  #shownTo(isOperator: boolean): PolicyReport {
    const { reportOnly } = this.report;
    return isOperator || !reportOnly
      ? this.report
      : { ...this.report, reportOnly: { ...reportOnly, worked: undefined } };
  }
}

/** Returns the members of a report as JSON, apart from those of the process, and the bracket after them. */
function* stringify(report: PolicyReport, process: object): Pieces<Buffer> {
  const members = Object.entries(report).filter(
    ([name, value]) => value !== undefined && !(name in process),
  );
  const texts = yield* mapInPieces(
    members,
    ([name, value]) => `"${name}":${JSON.stringify(value)}`,
  );
  return Buffer.from(`${texts.join(',')}}`);
}
