import { countHeader, readPlaces } from './readCredential';

it('the lines of a header are counted by their names, in any letter case', () => {
  const rawHeaders = [
    ...['Authorization', 'a', 'AUTHORIZATION', 'b'],
    ...['Authorizatiox', 'c', 'Authorization-X', 'd', 'X', 'authorization'],
  ];
  expect(countHeader({ rawHeaders } as never, 'authorization')).toBe(2);
});

it.each([
  ...['a.b.c', 'Bearer a.b.c', 'bearer   a.b.c'].map(value => [value, 'a.b.c']),
  ...[
    ...['', 'a.b.c, a.b.c', 'a.b.c,', ',a.b.c', 'Bearer Bearer a.b.c'],
    ...['Token a.b.c', 'Basic a.b.c', 'Bearer\ta.b.c', 'Bearer,a.b.c'],
    ...['a.b.c\tx', 'a.b.c x', 'a.b.c\xa0', 'Bearer\xa0a.b.c'],
  ].map(value => [value, '']),
])('the credential header %j has the token %j', (value, token) => {
  const header = 'x-token';
  const req = { headers: { [header]: value } } as never;
  const rest = { cookie: undefined, header, isForeignPath: false };
  expect(readPlaces(req, rest).headerToken).toBe(token);
});
