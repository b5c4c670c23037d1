const MONTH = '(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\\.?'
const DATES = [
  // 2026-11-24, 2026/11/24, 24.11.2026, 11/24/2026
  '\\d{4}[-/.]\\d{1,2}[-/.]\\d{1,2}',
  '\\d{1,2}[-/.]\\d{1,2}[-/.]\\d{4}',
  // 24 Nov 2026, November 24, 2026
  `\\d{1,2}(?:st|nd|rd|th)?\\s+${MONTH},?\\s+\\d{4}`,
  `${MONTH}\\s+\\d{1,2}(?:st|nd|rd|th)?,?\\s+\\d{4}`,
]
const DATE = new RegExp(`(?<![\\w])(?:${DATES.join('|')})(?![\\w])`, 'gi')

/** The dates a text spells out, in the usual forms, in their order. */
function findDates(text: string): string[] {
  return text.match(DATE) ?? []
}

/** The first date of `here` that stands in another form or not at all at the same place of `before`, if both have dates. */
export function changedDate(here: string, before: string): string | undefined {
  const [ours, theirs] = [findDates(here), findDates(before)]
  return ours.find((date, index) => theirs[index] !== undefined && theirs[index] !== date)
}
