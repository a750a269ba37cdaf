import { memoize, omit } from 'lodash';
import type {
  PolicyReport,
  ProcessReport,
} from '../observability/describePolicy';
import { Asked, renderPage } from '../page/renderPage';
import { inPieces } from '../util/pieces';

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
  json(isOperator: boolean): Buffer[] {
    const process = JSON.stringify(this.describeProcess());
    return [Buffer.from(`${process.slice(0, -1)},`), this.#json(isOperator)];
  }

  /** Returns the parts of the body. */
  async page(
    isOperator: boolean,
    asked: Omit<Asked, 'process'>,
  ): Promise<Buffer[]> {
    const addTo = await this.#page(isOperator);
    return addTo({ ...asked, process: this.describeProcess() });
  }

  /** The members of the JSON that stay, without the bracket in front of them. */
  readonly #json = memoize((isOperator: boolean) => {
    const ofProcess = Object.keys(this.describeProcess());
    const text = JSON.stringify(omit(this.#shownTo(isOperator), ofProcess));
    return Buffer.from(text).subarray(1);
  });

  readonly #page = memoize((isOperator: boolean) =>
    inPieces(renderPage(this.#shownTo(isOperator))),
  );

  /** Leaves out the requests that worked for a reader: a rule needs their whole paths, and a path may hold a secret. */
  #shownTo(isOperator: boolean): PolicyReport {
    const { reportOnly } = this.report;
    return isOperator || !reportOnly
      ? this.report
      : { ...this.report, reportOnly: omit(reportOnly, 'worked') };
  }
}
