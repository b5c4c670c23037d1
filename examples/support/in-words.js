/** What the cache did for a request: `1344 of 1387 tokens cached`; where it did nothing, also why. */
export function inWords({ cachedTokens, promptTokens, reason }) {
  const share = `${cachedTokens} of ${promptTokens} tokens cached`
  return cachedTokens > 0 ? share : `${share} (${reason})`
}
