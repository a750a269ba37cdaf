/** A browser with one engine, as its driver offers it to the cases of this folder. */
export interface Browser {
  /** Opens a tab in a profile of its own. Close it before you open another one: WebKit's driver has one at a time. */
  openTab(): Promise<Tab>;
  close(): Promise<void>;
}

/** A tab. A driver that waits in vain throws an error of the name `TimeoutError`. */
export interface Tab {
  /** Resolves once the page is there. */
  open(url: string): Promise<void>;
  url(): Promise<string>;
  /** Runs a function in the page, which sees its arguments alone. */
  evaluate<A extends unknown[], R>(
    run: (...args: A) => R,
    ...args: A
  ): Promise<Awaited<R>>;
  /** Clicks an element as a user does. */
  click(selector: string): Promise<void>;
  /** Waits for the window that the page opens, and moves to it, if the driver can. */
  followPopup?(): Promise<void>;
  /** The lines of the browser's console, if the driver reads it. */
  logged?: string[];
  /** Closes the tab, and removes its profile. */
  close(): Promise<void>;
}

/** The engines of browsers, each of which this folder has a driver for. */
export type Engine = 'chromium' | 'firefox' | 'webkit';
