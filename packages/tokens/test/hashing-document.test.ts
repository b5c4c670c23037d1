import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { hashTokens, loadXxh3, rootHash, type SeedConvention } from '../src/index.js'
import { hexOfWords, range } from './reference.js'

const document = readFileSync(new URL('../../../docs/hashing.md', import.meta.url), 'utf8')

/** Cells of the rows of the table whose header begins with `first`. */
function rows(first: string): string[][] {
  const lines = document.split('\n')
  const header = lines.findIndex((line) => cells(line)[0] === first)
  const end = lines.findIndex((line, index) => index > header && !line.startsWith('|'))
  return lines.slice(header + 2, end).map((line) => cells(line))
}

function cells(line: string): string[] {
  return line
    .replaceAll('`', '')
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim())
}

function tokensOf(cell: string): number[] {
  return cell.split(' ').flatMap((part) => {
    const [from, to = from] = part.split('..').map(Number)
    return range(from!, to! + 1)
  })
}

describe('docs/hashing.md', () => {
  test('has the vectors', () => {
    expect(rows('salt')).toHaveLength(4)
    expect(rows('salt_hash')).toHaveLength(2)
  })

  test.each(rows('salt'))(
    'vector of salt %s, page size %s, tokens %s holds',
    (saltHex, pageSize, tokens, root, hashes) => {
      const salt = Buffer.from(saltHex === '-' ? '' : saltHex!, 'hex')
      const options = { pageSize: Number(pageSize), salt }
      expect(hexOfWords(rootHash(options))).toBe(root)
      expect(hashTokens(tokensOf(tokens!), options).toHexArray()).toEqual(hashes!.split(' '))
    },
  )

  test.each(rows('salt_hash'))(
    'vector of salt hash %s, page size %s, tokens %s, convention %s holds (case 40)',
    async (...row) => {
      const [saltHash, pageSize, tokens, seedConvention, block, sequence] = row
      const hashes = (await loadXxh3()).hashTokens(tokensOf(tokens!), {
        pageSize: Number(pageSize),
        saltHash: BigInt(saltHash!),
        seedConvention: seedConvention as SeedConvention,
      })
      const lanes = (lane: 0 | 1): string =>
        range(0, hashes.count)
          .map((index) => hashes.lane(index, lane))
          .join(' ')
      expect([lanes(1), lanes(0)]).toEqual([block, sequence])
    },
  )
})
