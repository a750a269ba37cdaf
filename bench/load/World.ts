/** Options with which `backend.ts` is started. */
export interface BackendOptions {
  /** The path of the configuration, which the backend watches. */
  configFile: string;
  /** The port at which Prometheus scrapes. */
  metricsPort: number;
  withGate: boolean;
}

/** The amounts of everything that a backend could leak, as its own process measures them. */
export interface BackendSample {
  /** Bytes. */
  heap: number;
  /** Requests in memory. */
  requests: number;
  /** Connections of clients in memory, whether or not they are open. */
  sockets: number;
  /** Timers in memory, whether or not they are active. */
  timers: number;
  /** Handles and requests that keep the process alive. */
  handles: number;
  /** Open file descriptors. */
  descriptors: number;
  /** Open connections of clients, WebSockets included. */
  connections: number;
  /** Listeners at the process, at the server and at all open connections. */
  listeners: number;
}

/** A sample, with the number of series that Prometheus scrapes. */
export type Sample = BackendSample & { series: number };
