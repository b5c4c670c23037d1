import { TIER_NAMES } from '@kvbm/core'
import type { ManagerEvent } from '@kvbm/manager'
import type { Binding } from '@kvbm/native'
import { SeededRandom, SimulatedMachine } from '@kvbm/native/testing'
import { isExpected, Leaving } from './expected-errors.js'
import { type Facts, noFacts } from './facts.js'
import { ROOT, runOn } from './ground.js'
import { Ledger } from './ledger.js'
import { Life, type LifeOptions } from './life.js'
import { rotSuperblock, strike } from './misfortune.js'
import { DEPTH, LEAVES } from './prompts.js'
import type { Scenario } from './scenario.js'
import { type Call, type Damage, User } from './user.js'

/** What a user does, as often as it stands here. */
const CALLS = [
  ...['serve', 'serve', 'serve', 'serve', 'serve', 'serve', 'compute', 'compute', 'compute', 'match', 'match'],
  ...['onboard', 'onboard', 'offload', 'offload', 'read', 'release', 'release', 'release', 'acquire', 'settle'],
  ...['resetBlocks', 'reset'],
] as ReadonlyArray<Exclude<keyof User & string, 'life' | 'manager' | 'readDisk' | 'releaseAll'>>

/** What the user of a reader beside does. */
const READERS_CALLS = [
  'serve',
  'match',
  'match',
  'onboard',
  'onboard',
  'readLease',
  'readLease',
  'refresh',
  'release',
] as const

/** Within so many looks a reader must have found that its writer is gone. */
const LOOKS_MAX = 20

/** Calls under way at a time. */
const CALLS_MAX = 8
/** Turns that pass between two steps, at most. */
const TURNS_MAX = 40

/** A process, who uses it, and the calls that are under way there. */
interface Place {
  readonly life: Life
  readonly user: User
  readonly running: Set<Promise<void>>
}

export interface HistoryOptions {
  readonly wrap?: ((binding: Binding) => Binding) | undefined
  readonly integrity?: boolean | undefined
  readonly onNote?: ((line: string) => void) | undefined
}

/**
 * One history: lives of a manager on one simulated machine, one after the other, each with a user who makes calls while the
 * machine fails. After every step all that must hold is looked at; whatever does not hold is thrown.
 */
export class History {
  readonly facts: Facts = noFacts()
  readonly #scenario: Scenario
  readonly #options: HistoryOptions
  readonly #random: SeededRandom
  readonly #machine: SimulatedMachine
  readonly #ledger: Ledger
  readonly #damage: Damage = { isPossible: false }
  readonly #running = new Set<Promise<void>>()
  #life!: Life
  #user!: User
  #beside: Place | undefined
  #failure: unknown

  constructor(scenario: Scenario, options: HistoryOptions) {
    const { seed, sectorBytes } = scenario
    const { onNote } = options
    this.#scenario = scenario
    this.#options = options
    this.#random = new SeededRandom(seed ^ 0x0ca11)
    this.#machine = new SimulatedMachine({ seed, sectorBytes, ...(onNote === undefined ? {} : { onNote }) })
    this.#ledger = new Ledger(this.facts)
    this.#machine.disk.makeDirectory(ROOT)
  }

  /** SHA-256 over all that has happened. */
  get digest(): string {
    return this.#machine.scheduler.digest
  }

  async live(): Promise<void> {
    await this.#begin()
    for (let step = 0; step < this.#scenario.steps; step++) {
      await this.#step()
      this.facts.steps++
    }
    await this.#settle()
    await this.#end('closes')
    await this.#begin()
    await this.#judgeDisk()
    await this.#end('closes')
    this.facts.turns = this.#machine.scheduler.steps
  }

  async #step(): Promise<void> {
    const random = this.#random
    const { kills, powerCuts } = this.#scenario.weather
    const lot = random.unit()
    if (lot < 0.04 && kills) await this.#endAndBegin('kills')
    else if (lot < 0.07 && powerCuts) await this.#endAndBegin('powerCuts')
    else if (lot < 0.09) await this.#endAndBegin('closes')
    else if (lot < 0.11 && kills) await this.#forgetAndDie()
    else if (lot < 0.14) await this.#settle()
    else if (lot < 0.3) this.#strike()
    else if (lot < 0.35) this.#machine.disk.writeBack(random.unit())
    else if (lot < 0.4 && this.#scenario.isShared) await this.#openBeside()
    else if (lot < 0.42 && kills && this.#beside !== undefined) await this.#takeOver(this.#beside)
    else if (lot < 0.65 && this.#beside !== undefined) await this.#callBeside(this.#beside)
    else for (let calls = 1 + random.below(3); calls > 0; calls--) await this.#makeCall()
    await this.#pass(random.below(TURNS_MAX))
    this.#check()
  }

  async #begin(): Promise<void> {
    const scenario = this.#scenario
    const diskBlocks = this.facts.lives === 0 || this.#random.chance(0.7) ? scenario.diskBlocks : this.#otherSize()
    const { wrap, integrity } = this.#options
    const onEvent = this.#ledger.note
    const options = { machine: this.#machine, scenario, diskBlocks, wrap, integrity, onEvent }
    while (this.#scenario.weather.kills && this.#random.chance(0.15)) await this.#dieOpening(options)
    this.#life = await this.#machine.until(Life.open(options))
    this.#user = this.#userOf(this.#life)
    this.#ledger.begin(this.#life)
    this.facts.lives++
  }

  async #dieOpening(options: LifeOptions): Promise<void> {
    void Life.open(options).catch(() => {})
    await this.#pass(this.#random.below(TURNS_MAX))
    this.#ledger.begun(options.diskBlocks)
    if (this.#scenario.weather.powerCuts && this.#random.chance(0.5)) this.#cutPower()
    else this.#machine.kill()
  }

  /** Another process reads what this one writes, until this one ends or is left alone. */
  async #openBeside(): Promise<void> {
    if (this.#beside !== undefined) return
    const { wrap, integrity } = this.#options
    const where = { machine: this.#machine, scenario: this.#scenario, diskBlocks: this.#life.manager.disk.numBlocks }
    let life: Life | undefined
    const onEvent = (event: ManagerEvent): void => {
      if (this.#life === life) this.#ledger.note(event)
    }
    life = await this.#machine.until(Life.open({ ...where, wrap, integrity, isReader: true, onEvent }))
    this.#beside = { life, user: this.#userOf(life, true), running: new Set() }
    this.facts.readers++
  }

  /** The writer goes on meanwhile: what a reader found a moment ago may be overwritten when it reads it. */
  async #callBeside(beside: Place): Promise<void> {
    const names = [this.#random.pick(READERS_CALLS), 'refresh', 'match', 'match', 'readLease', 'readLease'] as const
    for (const name of names) {
      const call = this.#drawCall(beside.life)
      await this.#begun(beside, `reader's ${name}`, () => beside.user[name](call))
      if (name === 'match') await this.#overwrite()
    }
  }

  async #overwrite(): Promise<void> {
    const [life, user] = [this.#life, this.#user]
    const call = { ...this.#drawCall(life), tier: 'disk' as const }
    await this.#begun({ life, user, running: this.#running }, 'compute', () => user.compute(call))
    if (this.#random.chance(0.5))
      await this.#begun({ life, user, running: this.#running }, 'release', () => user.release(call))
  }

  /** Lets the reader come to an end; then it holds nothing. */
  async #settleBeside({ life, user, running }: Place): Promise<void> {
    life.faults.clear()
    await this.#machine.until(Promise.all(running))
    runOn(life.ground, () => user.releaseAll())
    await this.#machine.until(runOn(life.ground, () => life.manager.settled()))
    // Copies whose callers gave up end some time later; a reader's machine is never idle, because it looks again and again.
    for (let waits = 0; waits < LOOKS_MAX && isAnyHeld(life); waits++) await this.#pass(TURNS_MAX)
    expectNothingHeld(life)
  }

  /** The writer is killed, and who read beside it goes on in its place, with every block that it had. */
  async #takeOver(beside: Place): Promise<void> {
    const { life } = beside
    await this.#settleBeside(beside)
    this.facts.kills++
    this.facts.takeOvers++
    this.#ledger.end(this.#life)
    this.#running.clear()
    this.#machine.killOne(this.#life.ground.process)
    for (let looks = 0; !life.isWriter; looks++) {
      if (looks === LOOKS_MAX) throw new Error(`A reader looked ${looks} times, and did not take over.`)
      await this.#machine.until(runOn(life.ground, () => life.manager.disk.refresh()))
    }
    life.tookOver()
    this.#beside = undefined
    this.#life = life
    this.#user = this.#userOf(life)
    this.#ledger.begin(life)
  }

  #killBeside(): void {
    if (this.#beside !== undefined) this.#machine.killOne(this.#beside.life.ground.process)
    this.#beside = undefined
  }

  /** While its writer does nothing, who reads beside it finds all that this one has, and gets it. */
  async #judgeBeside({ life, user }: Place): Promise<void> {
    await this.#machine.until(runOn(life.ground, () => life.manager.disk.refresh()))
    if (!this.#damage.isPossible) this.#ledger.checkBeside(this.#life, life)
    await this.#machine.until(runOn(life.ground, () => this.#judged(user, () => user.readDisk())))
  }

  #userOf(life: Life, isBeside = false): User {
    return new User({ life, facts: this.facts, damage: this.#damage, isBeside })
  }

  #otherSize(): number {
    return Math.max(2, Math.floor(this.#scenario.diskBlocks * (0.3 + 1.4 * this.#random.unit())))
  }

  async #endAndBegin(how: 'kills' | 'powerCuts' | 'closes'): Promise<void> {
    await this.#end(how)
    if (this.#scenario.weather.flips && this.#random.chance(0.2))
      rotSuperblock({ life: this.#life, random: this.#random })
    await this.#begin()
    if (this.#random.chance(0.5)) await this.#judgeDisk()
  }

  async #end(how: 'kills' | 'powerCuts' | 'closes'): Promise<void> {
    this.facts[how]++
    this.facts.damageNoticed += damageNoticed(this.#life)
    if (how === 'closes') await this.#close()
    else this.#die(how)
    this.#machine.disk.capacityBytes = Number.POSITIVE_INFINITY
  }

  async #close(): Promise<void> {
    this.#killBeside()
    runOn(this.#life.ground, () => this.#user.releaseAll())
    this.#ledger.end(this.#life)
    const closing = this.#life.close()
    if (this.#scenario.weather.kills && this.#random.chance(0.2)) {
      closing.catch(() => {})
      await this.#pass(this.#random.below(TURNS_MAX))
      this.#closed()
      this.#running.clear()
      this.#machine.kill()
      return
    }
    await this.#machine.until(closing)
    await this.#machine.idle()
    await this.#machine.until(Promise.all(this.#running))
    this.#rethrow()
    this.#closed()
  }

  /** A copy that outlives close() may find a damaged block, and take it off the disk, when nobody is told any more. */
  #closed(): void {
    if (this.#damage.isPossible) this.#ledger.forgetAll()
    else this.#ledger.closed()
  }

  #die(how: 'kills' | 'powerCuts'): void {
    this.#beside = undefined
    this.#running.clear()
    if (how === 'kills') {
      this.#ledger.end(this.#life)
      this.#machine.kill()
      return
    }
    this.#cutPower()
  }

  #cutPower(): void {
    this.#damage.isPossible = true
    this.#ledger.forgetAll()
    this.#machine.cutPower(this.#random.pick(['some', 'some', 'none']))
  }

  /** What a process was told to forget, no later one finds. */
  async #forgetAndDie(): Promise<void> {
    await this.#settle()
    const { manager, prompts } = this.#life
    const hashes = prompts.of(this.#random.below(LEAVES), 1 + this.#random.below(DEPTH))
    const forget = (): Promise<unknown> =>
      this.#random.chance(0.5) ? manager.disk.resetBlocks(hashes) : manager.disk.reset()
    const isForgotten = await this.#machine.until(
      runOn(this.#life.ground, forget).then(
        () => true,
        () => false,
      ),
    )
    if (!isForgotten) return
    this.facts.kills++
    this.facts.damageNoticed += damageNoticed(this.#life)
    this.#ledger.end(this.#life, hashes.toHexArray())
    this.#machine.kill()
    await this.#begin()
  }

  #strike(): void {
    const lot = { life: this.#life, random: this.#random, scenario: this.#scenario }
    strike({ ...lot, ledger: this.#ledger, damage: this.#damage }, this.facts)
  }

  async #makeCall(): Promise<void> {
    const name = this.#random.pick(CALLS)
    const [user, call] = [this.#user, this.#drawCall(this.#life)]
    await this.#begun({ life: this.#life, user, running: this.#running }, name, () => user[name](call))
  }

  async #begun({ life, user, running }: Place, name: string, act: () => Promise<void>): Promise<void> {
    if (running.size >= CALLS_MAX) return
    this.#machine.scheduler.note(`call ${name}`)
    const call: Promise<void> = runOn(life.ground, () => this.#judged(user, act)).finally(() => running.delete(call))
    running.add(call)
    if (this.#random.chance(0.4)) await this.#machine.until(call)
  }

  #drawCall(life: Life): Call {
    const random = this.#random
    return {
      leaf: random.below(LEAVES),
      count: 1 + random.below(DEPTH),
      which: random.next(),
      tier: random.pick(TIER_NAMES),
      wait: this.#drawPatience(life),
    }
  }

  #drawPatience(life: Life): Call['wait'] {
    const random = this.#random
    const patience = random.pick(['endless', 'endless', 'endless', 'deadline', 'signal'])
    const ms = 1 + random.below(30)
    if (patience === 'deadline') return { deadlineMs: ms }
    if (patience === 'endless') return {}
    const leaving = new AbortController()
    runOn(life.ground, () => setTimeout(() => leaving.abort(new Leaving()), ms))
    return { signal: leaving.signal }
  }

  async #judged(user: User, act: () => Promise<void>): Promise<void> {
    try {
      await act()
    } catch (error) {
      if (user !== this.#user && user !== this.#beside?.user) return
      if (isExpected(error)) this.facts.callsFailed++
      else this.#failure ??= error
    }
  }

  /** Everything is let go and everybody comes to an end; then nothing is held. */
  async #settle(): Promise<void> {
    this.#life.faults.clear()
    this.#machine.disk.capacityBytes = Number.POSITIVE_INFINITY
    await this.#machine.until(Promise.all(this.#running))
    runOn(this.#life.ground, () => this.#user.releaseAll())
    await this.#machine.until(runOn(this.#life.ground, () => this.#life.manager.settled()))
    if (this.#beside !== undefined) {
      await this.#settleBeside(this.#beside)
      await this.#judgeBeside(this.#beside)
    }
    this.#killBeside()
    await this.#machine.idle()
    this.#check()
    expectNothingHeld(this.#life)
  }

  async #judgeDisk(): Promise<void> {
    const reading = runOn(this.#life.ground, () => this.#judged(this.#user, () => this.#user.readDisk()))
    await this.#machine.until(reading)
    this.#check()
  }

  async #pass(turns: number): Promise<void> {
    await this.#machine.settle()
    for (let turn = 0; turn < turns; turn++) if (!(await this.#machine.step())) return
  }

  /** What must hold at any moment. */
  #check(): void {
    this.#rethrow()
    this.#ledger.check(this.#life)
    for (const life of [this.#life, this.#beside?.life]) {
      if (life === undefined) continue
      checkPools(life)
      if (damageNoticed(life) > 0 && !this.#damage.isPossible)
        throw new Error('A damaged block was found, and nothing had damaged any.')
    }
  }

  #rethrow(): void {
    if (this.#failure !== undefined) throw this.#failure
  }
}

function isAnyHeld({ pools }: Life): boolean {
  return [...pools.values()].some(({ held }) => held > 0)
}

function expectNothingHeld({ pools }: Life): void {
  for (const [tier, pool] of pools)
    if (pool.held > 0) throw new Error(`${pool.held} blocks of the ${tier} tier are held by nobody.`)
}

/** Every block of every tier is accounted for. */
function checkPools({ pools }: Life): void {
  for (const [tier, pool] of pools) {
    pool.checkInvariants()
    const { free, inactive, held, quarantined, total } = pool
    if (free + inactive + held + quarantined !== total)
      throw new Error(`${tier}: ${free} + ${inactive} + ${held} + ${quarantined} blocks are not ${total}.`)
  }
}

function damageNoticed({ ground, manager }: Life): number {
  const { corrupt } = runOn(ground, () => manager.status())
  return Object.values(corrupt).reduce((sum, count) => sum + count, 0)
}
