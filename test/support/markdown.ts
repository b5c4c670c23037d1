/** What a page refers to: targets of links, and paths into the repository that are written as code. */
export interface References {
  readonly links: readonly string[]
  readonly paths: readonly string[]
}

const LINK = /\[[^\]]*\]\(([^)\s]+)\)/g
const CODE = /`([^`\n]+)`/g
const REPOSITORY_FILE = /^(packages|native|apps|bench|docs|test|scripts)\/[\w./-]+\.(ts|mjs|md|json|h|cc|txt|yml)$/

export function referencesOf(markdown: string): References {
  const prose = withoutBlocks(markdown)
  return {
    links: captured(prose.replaceAll(CODE, ''), LINK).filter((target) => !/^[a-z]+:/.test(target)),
    paths: captured(prose, CODE).filter((text) => REPOSITORY_FILE.test(text)),
  }
}

/** Anchors of a page's headings, as the usual renderers make them. */
export function anchorsOf(markdown: string): string[] {
  const headings = captured(withoutBlocks(markdown), /^#+ (.+)$/gm)
  return headings.map((text) =>
    text
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

/** Rows of the tables of a page whose header begins with `first`, cells trimmed and without code marks. */
export function tableRows(markdown: string, first: string): string[][] {
  const lines = markdown.split('\n')
  const start = lines.findIndex((line) => cellsOf(line)[0] === first)
  if (start < 0) return []
  const end = lines.findIndex((line, index) => index > start && !line.startsWith('|'))
  return lines.slice(start + 2, end < 0 ? undefined : end).map(cellsOf)
}

function cellsOf(line: string): string[] {
  return line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.replaceAll('`', '').trim())
}

function withoutBlocks(markdown: string): string {
  return markdown.replaceAll(/^```[\s\S]*?^```$/gm, '')
}

function captured(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map((match) => match[1]!)
}
