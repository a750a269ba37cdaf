import { isHeader } from './isHeader';

describe('isHeader', () => {
  it('compares without letter case', () => {
    expect(isHeader('Authorization', 'authorization')).toBe(true);
    expect(isHeader('authorization', 'authorization')).toBe(true);
    expect(isHeader('Authorizatiox', 'authorization')).toBe(false);
    expect(isHeader('Authorization-X', 'authorization')).toBe(false);
  });
});
