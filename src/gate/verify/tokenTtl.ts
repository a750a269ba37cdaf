/** How long the verdict about a token is kept at most. A withdrawn key, or a removed external token, is noticed after that time. */
export const TOKEN_TTL_MS = 30_000;
