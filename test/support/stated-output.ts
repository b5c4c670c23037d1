/**
 * What a block says it prints: the comment behind a `console.log(…)`, and comment lines directly below code. A comment that
 * explains what follows has an empty line above it, as everywhere.
 */
export function statedOutput(code: string): string[] {
  const lines = code.split('\n')
  let below = false
  return lines.flatMap((line) => {
    const whole = /^\/\/ (.*)$/.exec(line)?.[1]
    if (whole !== undefined) return below ? [whole] : []
    below = line.trim() !== ''
    const behind = /\bconsole\.log\(.*\) \/\/ (.*)$/.exec(line)?.[1]
    return behind === undefined ? [] : [behind]
  })
}

/** The stated lines that do not come, in their order, among the printed ones. */
export function missingFrom(printed: string, stated: readonly string[]): string[] {
  const lines = printed.split('\n')
  let at = 0
  return stated.filter((line) => {
    const found = lines.indexOf(line, at)
    if (found >= 0) at = found + 1
    return found < 0
  })
}
