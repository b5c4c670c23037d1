import type { SubjectResult } from './harness.js'

export function printRates(result: SubjectResult): void {
  console.log(`\n${result.name}: ${result.work} (${result.rounds} rounds)`)
  for (const { name, rate, cpuMs } of result.contenders) {
    const cpu = cpuMs === undefined ? '' : `, CPU ${cpuMs.median.toFixed(0)} ms per G${result.unit.replace('/s', '')}`
    console.log(
      `  ${name.padEnd(48)} ${number(rate.median)}${result.unit}  (${number(rate.min)} – ${number(rate.max)})${cpu}`,
    )
  }
  for (const { against, ratio } of result.ratios) {
    console.log(`  ${ratio.median.toFixed(2)} times ${against}  (${ratio.min.toFixed(2)} – ${ratio.max.toFixed(2)})`)
  }
  for (const note of result.notes) console.log(`  ${note}`)
}

function number(value: number): string {
  if (value >= 1e9) return `${(value / 1e9).toFixed(2)} G`
  if (value >= 1e6) return `${(value / 1e6).toFixed(2)} M`
  return value >= 1e3 ? `${(value / 1e3).toFixed(1)} k` : value.toFixed(1)
}
