import { describe, expect, test } from 'vitest'
import { type CaptureJob, CaptureScheduler, type CaptureSkip } from '../src/capture-scheduler.js'
import { ManualClock } from '../src/testing/index.js'

const MB = 1_000_000

class TestJob implements CaptureJob {
  readonly bytes: number
  started = false
  skipped: CaptureSkip | undefined
  finish: (stallMs?: number) => Promise<void> = async () => {}

  constructor(bytes = MB) {
    this.bytes = bytes
  }

  run(): Promise<{ savedBytes: number; stallMs: number }> {
    this.started = true
    return new Promise((resolve) => {
      this.finish = async (stallMs = 1) => {
        resolve({ savedBytes: this.bytes, stallMs })
        for (let turn = 0; turn < 5; turn++) await Promise.resolve()
      }
    })
  }

  skip(reason: CaptureSkip): void {
    this.skipped = reason
  }
}

function make(options: { maxStallMs?: number; pendingMax?: number } = {}) {
  const clock = new ManualClock()
  return { clock, scheduler: new CaptureScheduler({ clock, maxStallMs: 50, ...options }) }
}

describe('captures of a context', () => {
  test('none starts while a request waits or decodes', () => {
    const { scheduler } = make()
    const [waiting, decoding] = [scheduler.begin(), scheduler.begin()]
    decoding.decoding()
    const job = new TestJob()
    scheduler.offer(job)
    waiting.end()
    expect(job.started).toBe(false)
    decoding.end()
    expect(job.started).toBe(true)
  })

  test('telling the end of a request twice counts once', () => {
    const { scheduler } = make()
    const [first, second] = [scheduler.begin(), scheduler.begin()]
    const job = new TestJob()
    scheduler.offer(job)
    first.end()
    first.end()
    first.decoding()
    expect(job.started).toBe(false)
    second.end()
    expect(job.started).toBe(true)
  })

  test('one at a time, in their order', async () => {
    const { scheduler } = make()
    const jobs = [new TestJob(), new TestJob()]
    for (const job of jobs) scheduler.offer(job)
    expect(jobs.map(({ started }) => started)).toEqual([true, false])
    await jobs[0]!.finish()
    expect(jobs[1]!.started).toBe(true)
  })

  test('a request that came during one holds up the next, not the one that runs', async () => {
    const { scheduler } = make()
    const jobs = [new TestJob(), new TestJob()]
    for (const job of jobs) scheduler.offer(job)
    const request = scheduler.begin()
    await jobs[0]!.finish()
    expect(jobs[1]!.started).toBe(false)
    request.end()
    expect(jobs[1]!.started).toBe(true)
  })

  test('one that would stall the engine for too long waits until the context is idle for a while, and is counted', () => {
    const { scheduler, clock } = make()
    scheduler.estimate.learn(MB, 100)
    const request = scheduler.begin()
    const job = new TestJob()
    scheduler.offer(job)
    request.end()
    clock.advance(199)
    expect([job.started, scheduler.postponed]).toEqual([false, 1])
    clock.advance(1)
    expect(job.started).toBe(true)
  })

  test('a request in between begins the idle time anew', () => {
    const { scheduler, clock } = make()
    scheduler.estimate.learn(MB, 100)
    const job = new TestJob()
    clock.advance(150)
    scheduler.begin().end()
    scheduler.offer(job)
    clock.advance(150)
    scheduler.begin().end()
    clock.advance(199)
    expect(job.started).toBe(false)
    clock.advance(1)
    expect(job.started).toBe(true)
  })

  test('the queue is bounded: the oldest is skipped and told so', () => {
    const { scheduler } = make({ pendingMax: 2 })
    scheduler.begin()
    const jobs = [new TestJob(), new TestJob(), new TestJob()]
    for (const job of jobs) scheduler.offer(job)
    expect(jobs.map(({ skipped }) => skipped)).toEqual(['queue-full', undefined, undefined])
    expect(scheduler.pending).toBe(2)
  })

  test('what a save takes is learned from saves', async () => {
    const { scheduler } = make()
    expect(scheduler.estimate.msPerMb).toBeUndefined()
    const job = new TestJob(4 * MB)
    scheduler.offer(job)
    await job.finish(8)
    expect(scheduler.estimate.msPerMb).toBe(2)
    expect(scheduler.estimate.expectedMs(10 * MB)).toBe(20)
  })
})

describe('an early capture, right after a prefill', () => {
  test('runs at once though its own request decodes', () => {
    const { scheduler } = make()
    scheduler.begin().decoding()
    const job = new TestJob()
    scheduler.offerEarly(job)
    expect(job.started).toBe(true)
  })

  test.each([
    ['another request waits', 'requests-waiting'],
    ['another request decodes', 'requests-decoding'],
    ['another capture runs', 'capture-running'],
    ['it would stall the engine for too long', 'stall-too-long'],
  ] as const)('is skipped when %s', (_when, reason) => {
    const { scheduler } = make()
    if (reason === 'capture-running') scheduler.offer(new TestJob())
    scheduler.begin().decoding()
    if (reason === 'requests-waiting') scheduler.begin()
    if (reason === 'requests-decoding') scheduler.begin().decoding()
    if (reason === 'stall-too-long') scheduler.estimate.learn(MB, 51)
    const job = new TestJob()
    scheduler.offerEarly(job)
    expect([job.started, job.skipped]).toEqual([false, reason])
  })
})

test('a request was alone when none was there before it and none came since', () => {
  const { scheduler } = make()
  const first = scheduler.begin()
  expect(first.wasAlone()).toBe(true)
  const second = scheduler.begin()
  second.end()
  expect([first.wasAlone(), second.wasAlone()]).toEqual([false, false])
  first.end()
  expect(scheduler.begin().wasAlone()).toBe(true)
})

describe('who waits until captures are settled', () => {
  test('does not wait for idle time before a long one', async () => {
    const { scheduler } = make()
    scheduler.estimate.learn(MB, 100)
    const jobs = [new TestJob(), new TestJob()]
    for (const job of jobs) scheduler.offer(job)
    const settled = scheduler.settled()
    for (const job of jobs) {
      expect(job.started).toBe(true)
      await job.finish(100)
    }
    await settled
    expect(scheduler.pending).toBe(0)
    const later = new TestJob()
    scheduler.offer(later)
    expect(later.started).toBe(false)
  })

  test('waits for requests that decode, as captures do', async () => {
    const { scheduler } = make()
    const request = scheduler.begin()
    request.decoding()
    const job = new TestJob()
    scheduler.offer(job)
    let done = false
    const settled = scheduler.settled().then(() => {
      done = true
    })
    await Promise.resolve()
    expect([job.started, done]).toEqual([false, false])
    request.end()
    expect(job.started).toBe(true)
    await job.finish()
    await settled
  })

  test('is told when the last one is skipped', async () => {
    const { scheduler } = make()
    scheduler.begin()
    scheduler.offer(new TestJob())
    const settled = scheduler.settled()
    await scheduler.close()
    await settled
  })
})

describe('ending', () => {
  test('close skips what waits, aborts what runs, and refuses what comes later', async () => {
    const { scheduler } = make()
    let signal: AbortSignal | undefined
    const running: CaptureJob = {
      bytes: 1,
      run: (given) => {
        signal = given
        return new Promise((resolve) => given.addEventListener('abort', () => resolve(undefined)))
      },
      skip: () => {},
    }
    const [waiting, late] = [new TestJob(), new TestJob()]
    scheduler.offer(running)
    scheduler.offer(waiting)
    await scheduler.close()
    scheduler.offer(late)
    expect(signal?.aborted).toBe(true)
    expect([waiting.skipped, late.skipped]).toEqual(['closed', 'closed'])
  })
})
