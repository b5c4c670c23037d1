/** Aborts at the first Ctrl-C; the second one ends the process at once. */
export function abortOnInterrupt(): AbortSignal {
  const controller = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupt(controller))
  return controller.signal
}

function interrupt(controller: AbortController): void {
  if (controller.signal.aborted) process.exit(130)
  controller.abort()
  console.error('\n  Stopping (Ctrl-C again ends at once) …')
}
