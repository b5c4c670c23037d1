import { modelsDirectory } from './models-directory.js'

/** How far a download has come. */
export interface DownloadProgress {
  /** What is being downloaded. */
  readonly label: string
  readonly doneBytes: number
  /** 0 while it is not known. */
  readonly totalBytes: number
}

/** Where to look, how long to wait, whom to tell. */
export interface ResolveModelOptions {
  /** Where models are kept. Default `KVBM_MODELS_DIR`, else the user's cache directory. */
  readonly directory?: string
  /** Sentences for people: what is downloaded, from where and how large, before it begins; why a source was given up. */
  readonly onMessage?: (sentence: string) => void
  readonly onProgress?: (progress: DownloadProgress) => void
  /** How long the hub may take to answer at all. Default 3,000: a machine without a network is no reason to wait. */
  readonly connectDeadlineMs?: number
  /** A download that brings no byte for so long is given up. Default 30,000. */
  readonly stallDeadlineMs?: number
  readonly signal?: AbortSignal
  /** Where `HF_ENDPOINT`, `KVBM_MODELS_DIR` and `PATH` are read, and what `pip` is started with. Default `process.env`. */
  readonly env?: NodeJS.ProcessEnv
}

/** The same with every default in place. */
export interface ResolveContext {
  readonly directory: string
  readonly say: (sentence: string) => void
  readonly progress: (progress: DownloadProgress) => void
  readonly connectDeadlineMs: number
  readonly stallDeadlineMs: number
  readonly signal: AbortSignal | undefined
  readonly env: NodeJS.ProcessEnv
  /** Ends with a slash. */
  readonly hubEndpoint: string
}

export function resolveContext(options: ResolveModelOptions): ResolveContext {
  const { env = process.env } = options
  const endpoint = env.HF_ENDPOINT || 'https://huggingface.co'
  return {
    directory: options.directory ?? modelsDirectory({ env }),
    say: options.onMessage ?? (() => {}),
    progress: options.onProgress ?? (() => {}),
    connectDeadlineMs: options.connectDeadlineMs ?? 3_000,
    stallDeadlineMs: options.stallDeadlineMs ?? 30_000,
    signal: options.signal,
    env,
    hubEndpoint: endpoint.endsWith('/') ? endpoint : `${endpoint}/`,
  }
}

/** What went wrong, in one clause, with the reason under "fetch failed". */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const inner = error.cause instanceof Error && error.cause.message !== '' ? ` (${error.cause.message})` : ''
  return `${error.message}${inner}`
}
