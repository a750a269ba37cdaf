import type { IncomingMessage } from 'node:http';
import { isCodeDestination } from './isCodeDestination';

const request = (headers: Record<string, string>) =>
  ({ headers }) as unknown as IncomingMessage;

describe('isCodeDestination', () => {
  // The table has all destinations of the Fetch standard, and those of other standards.
  it.each([
    'audioworklet',
    'paintworklet',
    'script',
    'serviceworker',
    'sharedstorageworklet',
    'sharedworker',
    'style',
    'worker',
    'xslt',
  ])('%s: true', destination => {
    expect(isCodeDestination(request({ 'sec-fetch-dest': destination }))).toBe(
      true,
    );
  });

  it.each([
    'audio',
    'document',
    'embed',
    'empty',
    'font',
    'frame',
    'iframe',
    'image',
    'json',
    'manifest',
    'object',
    'prescript',
    'report',
    'stylesheet',
    'text',
    'track',
    'video',
    'webidentity',
  ])('%s: false', destination => {
    expect(isCodeDestination(request({ 'sec-fetch-dest': destination }))).toBe(
      false,
    );
  });

  it('is true for the script of a service worker in a browser without Sec-Fetch-Dest', () => {
    expect(isCodeDestination(request({ 'service-worker': 'script' }))).toBe(
      true,
    );
    expect(isCodeDestination(request({}))).toBe(false);
  });
});
