import { attempt, type Logger } from '@kvbm/core'

/**
 * A logger whose failures change nothing: what it cannot take is lost, and the work that it was told of goes on. The first loss is
 * reported as a process warning.
 */
export function calmLogger(logger: Logger): Logger {
  let isReported = false
  const failed = (why: string): void => {
    if (isReported) return
    isReported = true
    const options = { type: 'KvbmWarning', code: 'KVBM_LOGGER_FAILED' }
    process.emitWarning(`The logger of a manager threw: ${why}. Its messages are lost; the manager goes on.`, options)
  }
  const at = (level: keyof Logger) => (message: string) => attempt(() => logger[level](message), failed)
  return Object.freeze({ debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') })
}
