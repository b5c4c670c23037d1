import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { findChromium } from './chromium.js'
import { DemoProgram, endOf, untilSaid } from './demo-program.js'

const executablePath = findChromium(process.env)
const skipped = executablePath === undefined ? 'SKIPPED, there is no Chromium (apt-get install chromium): ' : ''
if (skipped !== '') console.warn(`${skipped}the demo's page`)

/** Names a directory for pictures of the page, which then shows the real model. */
const PICTURES = process.env.KVBM_PAGE_PICTURES
const MODEL = PICTURES === undefined ? ['--model', 'random:tiny', '--threads', '1'] : []
const ANSWER_MS = 60_000

describe.skipIf(skipped !== '')(`${skipped}the page`, () => {
  let demo: DemoProgram
  let browser: Browser
  let address: string
  let server: ReturnType<DemoProgram['start']>
  let ended: Promise<unknown>
  let page: Page
  const errors: string[] = []

  beforeAll(async () => {
    demo = await DemoProgram.bundle()
    browser = await chromium.launch({ executablePath: executablePath!, args: ['--no-sandbox'] })
    server = demo.start('chat', ...MODEL, '--no-scene')
    ended = endOf(server)
    const said = await untilSaid(server, /http:\/\/127\.0\.0\.1:\d+\/\?token=\S+/)
    address = said[0]
  }, 120_000)
  afterAll(async () => {
    await browser?.close()
    server?.kill('SIGINT')
    await ended
    await demo?.[Symbol.asyncDispose]()
  })
  beforeEach(async () => {
    page = await browser.newPage({ viewport: { width: 1280, height: 900 } })
    page.setDefaultTimeout(ANSWER_MS)
    page.on('pageerror', (error) => errors.push(error.message))
    await page.goto(address)
  })
  afterEach(async () => {
    await page.close()
    expect(errors.splice(0)).toEqual([])
  })

  /** How many squares of the strip have which colour. */
  async function strip(): Promise<Record<string, number>> {
    const squares = await page.locator('#strip i').evaluateAll((all) => all.map((square) => square.className))
    return Object.fromEntries(['device', 'host', 'disk', 'computed'].map((source) => [source, count(squares, source)]))
  }

  /** The bar without the cache is the longer one. */
  async function expectSooner(): Promise<void> {
    const bars = await page
      .locator('#times .fill')
      .evaluateAll((fills) => fills.map((fill) => fill.getAttribute('style')))
    const [without, withCache] = bars.map((style) => Number(/width: ([\d.]+)%/.exec(style ?? '')?.[1]))
    expect(bars).toHaveLength(2)
    expect(without).toBeGreaterThan(2 * withCache!)
    expect(await page.locator('#verdict').textContent()).toMatch(/^\d+\.\d times sooner/)
  }

  async function answered(): Promise<void> {
    await page.locator('#send:enabled').waitFor()
    expect(await page.locator('.message.assistant').last().textContent()).not.toMatch(/^(No answer|…)/)
  }

  async function picture(name: string): Promise<void> {
    if (PICTURES === undefined) return
    await mkdir(PICTURES, { recursive: true })
    await page.screenshot({ path: join(PICTURES, `${name}.png`), fullPage: true })
  }

  test('shows where each block came from: computed, from the cache, and from disk after the kill button', async () => {
    await page.keyboard.press('Tab')
    await page.locator('#question').focus()
    await page.keyboard.press('Enter')
    await answered()
    const cold = await strip()
    expect(cold).toMatchObject({ device: 0, host: 0, disk: 0 })
    expect(cold.computed).toBeGreaterThan(50)

    await page.locator('#again').click()
    await answered()
    expect((await strip()).computed).toBe(1)
    await expectSooner()

    await page.locator('#kill').click()
    await expect
      .poll(() => page.locator('#state').textContent(), { timeout: ANSWER_MS })
      .toMatch(/is up: [1-9]\d* blocks came back/)
    await page.locator('#again').click()
    await answered()
    const restarted = await strip()
    expect(restarted.disk).toBeGreaterThan(0.9 * cold.computed!)
    expect(restarted.computed).toBeLessThan(5)
    await expectSooner()
    expect(await page.locator('#summary').textContent()).toMatch(/\d+ tokens from disk/)
    expect(await page.locator('#tiers').textContent()).toMatch(/disk/)
    await picture('page-1280')
  }, 240_000)

  test('the switch asks without the cache', async () => {
    await page.locator('#cold').check()
    await page.locator('#send').click()
    await answered()
    expect(await strip()).toMatchObject({ device: 0, host: 0, disk: 0 })
    expect(await page.locator('#times').textContent()).toMatch(/without cache/)
  }, 120_000)

  test.each([1280, 390])('fits a window %i pixels wide', async (width) => {
    await page.setViewportSize({ width, height: 844 })
    const overflow = await page.evaluate<number>(
      'document.documentElement.scrollWidth - document.documentElement.clientWidth',
    )
    expect(overflow).toBeLessThanOrEqual(0)
    await picture(`page-${width}-light`)
  })

  test('is dark where people want it dark', async () => {
    const ground = () => page.evaluate<string>('getComputedStyle(document.body).backgroundColor')
    const light = await ground()
    await page.emulateMedia({ colorScheme: 'dark' })
    expect(await ground()).not.toBe(light)
    await picture('page-1280-dark')
  })

  test('every control is reached by the keyboard', async () => {
    const reached = new Set<string>()
    for (let presses = 0; presses < 20; presses++) {
      await page.keyboard.press('Tab')
      reached.add(await page.evaluate<string>('document.activeElement.id'))
    }
    expect([...reached]).toEqual(expect.arrayContaining(['question', 'send', 'again', 'fresh', 'cold', 'kill']))
  })

  test('nobody gets it without the token', async () => {
    const { origin } = new URL(address)
    expect((await fetch(origin)).status).toBe(403)
    expect((await fetch(`${origin}/?token=wrong`)).status).toBe(403)
    expect((await fetch(`${origin}/demo/tiers`)).status).toBe(403)
    expect((await fetch(`${origin}/demo/kill`, { method: 'POST' })).status).toBe(403)
  })
})

function count(classes: readonly string[], name: string): number {
  return classes.filter((other) => other === name).length
}
