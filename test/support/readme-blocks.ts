import { readFileSync } from 'node:fs'

/** One fenced block of code in a Markdown file. */
export interface ReadmeBlock {
  /** The first word after the fence, in lower case; empty where there is none. */
  readonly language: string
  /** What stands between the fences, with a newline at the end. */
  readonly code: string
  /** The 1-based line of the opening fence. */
  readonly line: number
  /** Why it must not be executed: `<!-- not run: reason -->` on the last line with text above the fence. */
  readonly notRun?: string
}

const RUNNABLE = ['js', 'mjs', 'javascript', 'ts', 'typescript']

/** All fenced blocks of a Markdown file, in order. A fence that is never closed is an error: GitHub would swallow the rest. */
export function readmeBlocks(path: string): ReadmeBlock[] {
  const lines = readFileSync(path, 'utf8').split(/\r?\n/)
  const blocks: ReadmeBlock[] = []
  for (let index = 0; index < lines.length; index++) {
    const opening = /^( *)(`{3,}|~{3,}) *([^\s`]*)[^`]*$/.exec(lines[index]!)
    if (opening === null) continue
    const [, indent, fence, language] = opening as unknown as [string, string, string, string]
    const end = lines.findIndex((line, at) => at > index && closes(line, fence))
    if (end < 0) throw new Error(`${path}:${index + 1}: the fence ${fence} is never closed.`)
    blocks.push({
      language: language.toLowerCase(),
      code: lines
        .slice(index + 1, end)
        .map((line) => `${withoutIndent(line, indent.length)}\n`)
        .join(''),
      line: index + 1,
      ...notRunAbove(lines, index),
    })
    index = end
  }
  return blocks
}

/** The blocks of JavaScript and TypeScript that a reader is told will run. */
export function runnableBlocks(path: string): ReadmeBlock[] {
  return readmeBlocks(path).filter(({ language, notRun }) => RUNNABLE.includes(language) && notRun === undefined)
}

function closes(line: string, fence: string): boolean {
  const text = line.trim()
  return text.length >= fence.length && text === fence[0]!.repeat(text.length)
}

/** A block in a list is indented; its code is not. */
function withoutIndent(line: string, width: number): string {
  return line.slice(Math.min(width, line.length - line.trimStart().length))
}

function notRunAbove(lines: readonly string[], fence: number): { notRun?: string } {
  const above = lines.slice(0, fence).findLast((line) => line.trim() !== '')
  const reason = /^\s*<!-- *not run: *(.+?) *-->\s*$/.exec(above ?? '')?.[1]
  return reason === undefined ? {} : { notRun: reason }
}
