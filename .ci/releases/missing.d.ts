// The types that the gate uses behind a check of what is there, so that `tsc` finds whatever else older packages don't have.
// Goes in October 2027: releases before November 2026 have no WebSocket handlers.
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type {
  AuthService,
  BackstageCredentials,
  HttpRouterService,
  LifecycleService,
  LoggerService,
  RootConfigService,
  RootHttpRouterService,
} from '@backstage/backend-plugin-api';

declare module '@backstage/backend-plugin-api' {
  interface HttpRouterServiceWebSocketContext {
    request: IncomingMessage;
    socket: Duplex;
    head: Buffer;
    credentials: BackstageCredentials;
    authProtocol?: string;
  }
  interface HttpRouterServiceWebSocketHandler {
    path: string;
    handler(context: HttpRouterServiceWebSocketContext): void | Promise<void>;
    authPolicy?: 'unauthenticated';
  }
  interface HttpRouterService {
    addWebSocketHandler(options: HttpRouterServiceWebSocketHandler): void;
  }
  interface RootHttpRouterServiceWebSocketHandler {
    path: string;
    handler(context: {
      request: IncomingMessage;
      socket: Duplex;
      head: Buffer;
    }): void | Promise<void>;
  }
  interface RootHttpRouterService {
    addWebSocketHandler(options: RootHttpRouterServiceWebSocketHandler): void;
  }
}

declare module '@backstage/backend-defaults/httpRouter' {
  function createWebSocketRouter(options: {
    auth: AuthService;
    config: RootConfigService;
    lifecycle: LifecycleService;
    logger: LoggerService;
    pluginId: string;
    rootHttpRouter: RootHttpRouterService;
  }): HttpRouterService['addWebSocketHandler'];
}
