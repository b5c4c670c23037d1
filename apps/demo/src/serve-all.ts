import { Progress } from './progress.js'
import type { Requests } from './requests.js'
import type { StandInEngine } from './stand-in-engine.js'
import { Tally } from './tally.js'

/** Serves requests one at a time, and shows how it goes. Stops between two of them when told to. */
export async function serveAll(requests: Requests, engine: StandInEngine, stop: AbortSignal): Promise<Tally> {
  using progress = new Progress(requests.total)
  const tally = new Tally()
  for (const request of requests) {
    if (stop.aborted) break
    tally.add(await engine.serve(request), request.hashIds)
    progress.show(tally)
  }
  return tally
}
