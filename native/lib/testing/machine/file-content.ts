import type { SeededRandom } from './seeded-random.js'

/** One sector: what the kernel has, what the medium has, and what was written since the medium was last up to date. */
interface Sector {
  current: Uint8Array
  durable: Uint8Array | undefined
  since: Uint8Array[]
}

/** Versions of one sector that a power cut chooses from. Older ones are as good as overwritten on the way. */
const VERSIONS_MAX = 4

/** How a power cut treats what was not flushed: each sector on its own, or none of it arrived. */
export type PowerCut = 'some' | 'none'

/**
 * Bytes of one file. Sectors are written whole or not at all, each on its own: without a flush nothing is said about which of
 * them are on the medium, and in which version.
 */
export class FileContent {
  /** Tells it from every other file of its disk. */
  readonly inode: number
  readonly #sectorBytes: number
  readonly #sectors = new Map<number, Sector>()
  #sizeBytes = 0
  #durableBytes = 0

  constructor(inode: number, sectorBytes: number) {
    this.inode = inode
    this.#sectorBytes = sectorBytes
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** Makes it at least so long. */
  extend(sizeBytes: number): void {
    this.#sizeBytes = Math.max(this.#sizeBytes, sizeBytes)
  }

  /** Fills `target` up to the end of the file; returns how many bytes there were. */
  read(target: Uint8Array, offset: number): number {
    const count = Math.max(0, Math.min(target.length, this.#sizeBytes - offset))
    for (const { sector, within, at, length } of this.#parts(offset, count)) {
      const bytes = this.#sectors.get(sector)?.current.subarray(within, within + length)
      if (bytes === undefined) target.fill(0, at, at + length)
      else target.set(bytes, at)
    }
    return count
  }

  write(source: Uint8Array, offset: number): void {
    for (const { sector, within, at, length } of this.#parts(offset, source.length)) {
      const bytes = this.#sectors.get(sector)?.current.slice() ?? new Uint8Array(this.#sectorBytes)
      bytes.set(source.subarray(at, at + length), within)
      this.#put(sector, bytes)
    }
    this.extend(offset + source.length)
  }

  /** The medium is up to date. */
  flush(): void {
    for (const sector of this.#sectors.values()) settle(sector, sector.current)
    this.#durableBytes = this.#sizeBytes
  }

  /** What a kernel does by and by: some sectors reach the medium. */
  writeBack(random: SeededRandom, share: number): void {
    for (const sector of this.#sectors.values())
      if (sector.since.length > 0 && random.chance(share)) settle(sector, sector.current)
    if (random.chance(share)) this.#durableBytes = this.#sizeBytes
  }

  /** What is found when the power is back. Where nothing was ever written, the medium may hold what was there before the file. */
  cutPower(random: SeededRandom, cut: PowerCut): void {
    for (const sector of this.#sectors.values()) {
      const before = sector.durable ?? (random.chance(0.5) ? this.#garbage(random) : new Uint8Array(this.#sectorBytes))
      settle(sector, cut === 'none' ? before : random.pick([before, ...sector.since]))
    }
    this.#shorten(random.chance(0.5) ? this.#sizeBytes : Math.min(this.#sizeBytes, this.#durableBytes))
  }

  /** The medium lies from now on. `bit` counts from the beginning of the file. */
  flipBit(bit: number): void {
    const byte = Math.floor(bit / 8)
    const one = new Uint8Array(1)
    if (this.read(one, byte) === 0) return
    one[0]! ^= 1 << (bit % 8)
    this.write(one, byte)
  }

  #put(sector: number, bytes: Uint8Array): void {
    const before = this.#sectors.get(sector)
    if (before === undefined) {
      this.#sectors.set(sector, { current: bytes, durable: undefined, since: [bytes] })
      return
    }
    before.current = bytes
    before.since.push(bytes)
    if (before.since.length > VERSIONS_MAX) before.since.shift()
  }

  #shorten(sizeBytes: number): void {
    this.#sizeBytes = sizeBytes
    this.#durableBytes = sizeBytes
    for (const sector of this.#sectors.keys()) if (sector * this.#sectorBytes >= sizeBytes) this.#sectors.delete(sector)
  }

  #garbage(random: SeededRandom): Uint8Array {
    return new Uint8Array(this.#sectorBytes).fill(1 + random.below(255))
  }

  *#parts(offset: number, count: number): Generator<Part, void, void> {
    for (let at = 0; at < count; ) {
      const sector = Math.floor((offset + at) / this.#sectorBytes)
      const within = (offset + at) % this.#sectorBytes
      const length = Math.min(count - at, this.#sectorBytes - within)
      yield { sector, within, at, length }
      at += length
    }
  }
}

/** A run of bytes within one sector; `at` counts from the begin of the access. */
interface Part {
  readonly sector: number
  readonly within: number
  readonly at: number
  readonly length: number
}

function settle(sector: Sector, bytes: Uint8Array): void {
  sector.current = bytes
  sector.durable = bytes
  sector.since = []
}
