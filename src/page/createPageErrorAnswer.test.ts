import { ConfigReader } from '@backstage/config';
import type { Response } from 'express';
import { createPageErrorAnswer } from './createPageErrorAnswer';

it.each([
  [
    'https://backstage.example.com/a"b',
    'href="https://backstage.example.com/a&quot;b"',
  ],
  ['data:text/html,x', undefined],
  ['', undefined],
])(
  'with app.baseUrl %s, a browser that is to sign in gets the link %s',
  (baseUrl, link) => {
    let page = '';
    const res = {
      writeHead() {},
      end(text: string) {
        page = text;
      },
    } as unknown as Response;
    const config = new ConfigReader({ app: baseUrl ? { baseUrl } : {} });
    createPageErrorAnswer(config)(res, { status: 401, message: 'any' });
    expect(page.match(/href="[^"]*"/)?.[0]).toBe(link);
  },
);
