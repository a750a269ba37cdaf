import { countHeader } from './readCredential';

it('the lines of a header are counted by their names, in any letter case', () => {
  const rawHeaders = [
    ...['Authorization', 'a', 'AUTHORIZATION', 'b'],
    ...['Authorizatiox', 'c', 'Authorization-X', 'd', 'X', 'authorization'],
  ];
  expect(countHeader({ rawHeaders } as never, 'authorization')).toBe(2);
});
